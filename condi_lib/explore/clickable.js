// Shows a text of HTML or SVG, and tells which of its elements with data-key was chosen,
// by mouse or by Enter and Space. Focus stays where it was when the text changes.
function render({ model, el }) {
  // Keys are for whatever has focus in the explorer: JupyterLab would take arrows for the notebook.
  // It looks for the attribute on the element itself first, so an ancestor's would not do.
  const keepKeys = (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true");
  const whole = () => el.closest(".condi-explorer") ?? el;

  // Of a filmstrip only the tiles that differ: their pictures need not be decoded again.
  const update = (made) => {
    const [strip, next] = [el.firstElementChild, made.firstElementChild];
    const tiles = strip && next?.className === strip.className ? [...strip.children] : [];
    if (next?.className !== "condi-strip" || tiles.length !== next.children.length) {
      el.replaceChildren(made);
      return;
    }
    [...next.children].forEach((tile, place) => {
      if (!tile.isEqualNode(tiles[place])) tiles[place].replaceWith(tile);
    });
  };
  const show = () => {
    const active = document.activeElement;
    const focused = el.contains(active) ? active.dataset.key : undefined;
    const made = document.createElement("template");
    made.innerHTML = model.get("html");
    update(made.content);
    if (focused !== undefined) {
      el.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  };
  const choose = (event) => {
    const target = event.target.closest("[data-key]");
    if (target) model.send({ key: target.dataset.key });
  };
  const press = (event) => {
    const isButton = event.target.tagName === "BUTTON"; // a browser turns its keys into clicks
    if (!isButton && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      choose(event);
    }
  };
  el.addEventListener("click", choose);
  el.addEventListener("keydown", press);
  model.on("change:html", show);
  show();
  requestAnimationFrame(() => whole().addEventListener("focusin", keepKeys)); // once it is in place
  return () => {
    el.removeEventListener("click", choose);
    el.removeEventListener("keydown", press);
    model.off("change:html", show);
  };
}

export default { render };
