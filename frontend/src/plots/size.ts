/** The size of an element, and the colours of the theme, as values that change. */

import { type RefObject, useEffect, useState } from "react";

export function useSize(ref: RefObject<HTMLElement | null>): [number, number] {
  const [size, setSize] = useState<[number, number]>([0, 0]);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const watch = new ResizeObserver(([entry]) => {
      if (entry) setSize([Math.floor(entry.contentRect.width), Math.floor(entry.contentRect.height)]);
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [ref]);
  return size;
}

export interface Colours {
  dark: boolean;
  text: string;
  line: string;
  paper: string;
  absent: [number, number, number, number];
}

function read(): Colours {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  return dark
    ? { dark, text: "#c7d0da", line: "#36404d", paper: "#10151c", absent: [0.28, 0.3, 0.34, 1] }
    : { dark, text: "#3a4653", line: "#c9d1d9", paper: "#ffffff", absent: [0.82, 0.84, 0.87, 1] };
}

/** Colours for what is drawn rather than styled. */
export function useInk(): Colours {
  const [ink, setInk] = useState(read);
  useEffect(() => {
    const again = () => setInk(read());
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", again);
    const watch = new MutationObserver(again);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      system.removeEventListener("change", again);
      watch.disconnect();
    };
  }, []);
  return ink;
}
