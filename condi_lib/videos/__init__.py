"""From video files to clips: decoding, the clip grid, catalogs of labelled videos, the loader."""
