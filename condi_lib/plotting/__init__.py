"""Figures. ``use_style()`` once, then functions that take ``ax`` and give it back.

``style`` fixes how each method looks, ``curves``, ``cost_curves``, ``bars`` and ``dots`` draw
numbers, ``maps`` tables, ``settings`` what a setting does, ``gains`` what methods gain in many of
them, ``filmstrips`` draws videos, ``patches`` their sound, ``timeline`` what was predicted of one,
``verdicts`` what became of claims, ``line_labels`` names curves, ``tables`` are to be read as
numbers, ``saving`` writes files. Nothing here computes a result.
"""

from condi_lib.plotting.bars import (
    bar_panels,
    bars_with_intervals,
    histogram_by_truth,
    stacked_shares,
)
from condi_lib.plotting.cost_curves import (
    accuracy_over_cost,
    curves_over_clips,
    marked_dense,
    savings_over_k,
    time_over_k,
)
from condi_lib.plotting.curves import (
    accuracy_over_k,
    loss_curves,
    percent_axis,
    published_curve,
    published_dense,
    rate_curves,
    reliability,
    risk_coverage,
    share_curves,
    training_curves,
)
from condi_lib.plotting.dots import dot_panels, dots_size
from condi_lib.plotting.filmstrips import (
    action_sheet,
    clip_strip,
    filmstrip,
    sheet_size,
    strip_size,
)
from condi_lib.plotting.gains import (
    CALIBRATION_LOOKS,
    gain_map,
    gains_by_setting,
    gains_over,
    mean_ranks,
    predicted_and_measured,
)
from condi_lib.plotting.line_labels import label_lines
from condi_lib.plotting.maps import heat_map
from condi_lib.plotting.patches import sound_sheet
from condi_lib.plotting.saving import read_record, save_figure
from condi_lib.plotting.settings import (
    curves_by_value,
    results_over_setting,
    setting_name,
    setting_text,
)
from condi_lib.plotting.style import (
    METHODS,
    TRUTH_COLOURS,
    MethodStyle,
    style_of,
    styles_of,
    text_colour,
    use_style,
)
from condi_lib.plotting.tables import MarkedTable, accuracy_texts
from condi_lib.plotting.timeline import prediction_timeline, thumbnail_clips
from condi_lib.plotting.verdicts import forest, forest_height

__all__ = [
    "CALIBRATION_LOOKS",
    "METHODS",
    "TRUTH_COLOURS",
    "MarkedTable",
    "MethodStyle",
    "accuracy_over_cost",
    "accuracy_over_k",
    "accuracy_texts",
    "action_sheet",
    "bar_panels",
    "bars_with_intervals",
    "clip_strip",
    "curves_by_value",
    "curves_over_clips",
    "dot_panels",
    "dots_size",
    "filmstrip",
    "forest",
    "forest_height",
    "gain_map",
    "gains_by_setting",
    "gains_over",
    "heat_map",
    "histogram_by_truth",
    "label_lines",
    "loss_curves",
    "marked_dense",
    "mean_ranks",
    "percent_axis",
    "predicted_and_measured",
    "prediction_timeline",
    "published_curve",
    "published_dense",
    "rate_curves",
    "read_record",
    "reliability",
    "results_over_setting",
    "risk_coverage",
    "save_figure",
    "savings_over_k",
    "setting_name",
    "setting_text",
    "share_curves",
    "sheet_size",
    "sound_sheet",
    "stacked_shares",
    "strip_size",
    "style_of",
    "styles_of",
    "text_colour",
    "thumbnail_clips",
    "time_over_k",
    "training_curves",
    "use_style",
]
