import { useEffect, useRef, useState } from "react";
import { useApp } from "../app/context";
import type { NumberArray, Payload } from "../client/payload";
import type { MapHeader } from "../client/types";

export interface MapData {
  header: MapHeader;
  image: NumberArray | null;
  x: NumberArray | null;
  y: NumberArray | null;
  z: NumberArray | null;
}

/** A map as it grows. */
export function useMap(run: string, z: string | null, norm: string | null, frozen: boolean) {
  const app = useApp();
  const [map, setMap] = useState<MapData | null>(null);
  const [problem, setProblem] = useState("");
  const drawn = useRef<() => void>(() => {});
  useEffect(() => {
    if (z === null || frozen) return;
    setProblem("");
    const leave = app.socket.follow({
      wanted: { what: "map", run, z, norm, rate: 8 },
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
  }, [app, run, z, norm, frozen]);
  const mine = map !== null && map.header.run === run && map.header.z?.name === z;
  return { map: mine ? map : null, problem, drawn: () => drawn.current() };
}
