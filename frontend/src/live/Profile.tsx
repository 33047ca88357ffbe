import { useEffect, useState } from "react";
import { useApp } from "../app/context";
import { part } from "../client/api";
import type { NumberArray, Payload } from "../client/payload";
import type { Channel } from "../client/types";
import { Curve } from "../plots/Curve";

/** Values along a line through a frame. */
export function Profile(props: {
  run: string;
  channel: Channel;
  index: number;
  line: [number, number, number, number];
  onClose: () => void;
}) {
  const app = useApp();
  const { run, channel, index, line } = props;
  const [found, setFound] = useState<{ x: NumberArray; y: NumberArray } | null>(null);
  const [range, setRange] = useState<[number, number] | null>(null);
  const key = line.join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the line
  useEffect(() => {
    const leave = new AbortController();
    const [x0, y0, x1, y1] = line;
    app.api
      .payload<object>(
        `runs/${part(run)}/profile/${part(channel.name)}/${index}`,
        { x0, y0, x1, y1 },
        leave.signal,
      )
      .then(({ arrays }: Payload<object>) => {
        if (arrays.distance && arrays.value) setFound({ x: arrays.distance, y: arrays.value });
      })
      .catch((error: unknown) => app.tell(error));
    return () => leave.abort();
  }, [app, run, channel.name, index, key]);
  if (found === null) return null;
  return (
    <section className="profile" aria-label="Profile">
      <button type="button" className="quiet" onClick={props.onClose}>
        close profile
      </button>
      <Curve
        label="Values along the line"
        lines={[{ name: "value", unit: channel.unit, x: found.x, y: found.y, right: false, past: false }]}
        x={{ name: "distance", unit: "px", time: false }}
        log={false}
        marks={[]}
        here={null}
        range={range}
        onRange={setRange}
        count={found.x.length}
      />
    </section>
  );
}
