// Shows a text of HTML or SVG, and tells which of its elements with data-key was chosen,
// by mouse or by Enter and Space. Focus stays where it was when the text changes.
function render({ model, el }) {
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // keys are for us, not for the notebook

  const show = () => {
    const active = document.activeElement;
    const focused = el.contains(active) ? active.dataset.key : undefined;
    el.innerHTML = model.get("html");
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
  return () => {
    el.removeEventListener("click", choose);
    el.removeEventListener("keydown", press);
    model.off("change:html", show);
  };
}

export default { render };
