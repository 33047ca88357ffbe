import { useEffect, useRef, useState } from "react";
import { useApp } from "../app/context";
import type { NumberArray, Payload } from "../client/payload";
import type { MapHeader, Wanted } from "../client/types";

export interface MapData {
  header: MapHeader;
  image: NumberArray | null;
  x: NumberArray | null;
  y: NumberArray | null;
  z: NumberArray | null;
}

/** A map as it grows. */
export function useMap(wanted: Extract<Wanted, { what: "map" }> | null, frozen: boolean) {
  const app = useApp();
  const [map, setMap] = useState<MapData | null>(null);
  const [problem, setProblem] = useState("");
  const drawn = useRef<() => void>(() => {});
  const key = wanted === null ? "" : JSON.stringify(wanted);
  useEffect(() => {
    if (key === "" || frozen) return;
    setProblem("");
    const leave = app.socket.follow({
      wanted: JSON.parse(key) as Wanted,
      got: (message) =>
        new Promise<void>((resolve) => {
          drawn.current();
          drawn.current = resolve;
          const { header, arrays } = message as unknown as Payload<MapHeader>;
          setMap({
            header,
            image: arrays.image ?? null,
            x: arrays.x ?? null,
            y: arrays.y ?? null,
            z: arrays.z ?? null,
          });
        }),
      failed: (what, hint) => setProblem(`${what} ${hint}`.trim()),
    });
    return () => {
      leave();
      drawn.current();
    };
  }, [app, key, frozen]);
  const mine = map !== null && map.header.run === wanted?.run && map.header.z?.name === wanted.z;
  return { map: mine ? map : null, problem, drawn: () => drawn.current() };
}
