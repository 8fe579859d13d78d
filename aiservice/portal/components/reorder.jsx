// Reordering by hand: a handle that is dragged, or moved by the arrow keys. The list itself does not change here: whoever
// listens is told from where to where, and buttons beside the handle do the same for whoever cannot drag (WCAG 2.5.7).
import { createElement as h, useEffect, useRef, useState } from "react";

const rowsOf = (handle) => [...handle.closest("ol").children];

export function DragHandle({ index, label, className, hasFocus, onMove, children }) {
  const handle = useRef(null);
  const drag = useRef(null);
  const [isDragged, setDragged] = useState(false);
  useEffect(() => {
    if (hasFocus) handle.current.focus();
  }, [hasFocus]);
  const row = () => handle.current.closest("li");
  const show = (offset) => {
    row().style.transform = offset ? `translateY(${offset}px)` : "";
    row().style.zIndex = offset ? "1" : "";
    row().style.position = offset ? "relative" : "";
  };
  const begin = (event) => {
    if (event.button !== 0) return;
    handle.current.setPointerCapture(event.pointerId);
    const boxes = rowsOf(handle.current).map((one) => one.getBoundingClientRect());
    drag.current = { y: event.clientY, middles: boxes.map((box) => box.top + box.height / 2) };
    setDragged(true);
  };
  // Where the row would be now: behind all those whose middle its own has passed.
  const place = (event) => {
    const { y, middles } = drag.current;
    const middle = middles[index] + event.clientY - y;
    return middles.filter((other, at) => at !== index && other < middle).length;
  };
  const move = (event) => drag.current && show(event.clientY - drag.current.y);
  const end = (event) => {
    if (!drag.current) return;
    const to = event.type === "pointerup" ? place(event) : index;
    drag.current = null;
    setDragged(false);
    show(0);
    if (to !== index) onMove?.(index, to);
  };
  const keys = (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape" && drag.current) end({ type: "cancel" });
    if (!step) return;
    event.preventDefault();
    const to = index + step;
    if (to >= 0 && to < rowsOf(handle.current).length) onMove?.(index, to);
  };
  return h(
    "button",
    {
      type: "button",
      ref: handle,
      className,
      "aria-label": label,
      "aria-pressed": isDragged,
      style: { touchAction: "none" },
      onPointerDown: begin,
      onPointerMove: move,
      onPointerUp: end,
      onPointerCancel: end,
      onKeyDown: keys,
    },
    children,
  );
}
