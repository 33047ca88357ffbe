import { useMemo, useState } from "react";
import { useAppState, useView } from "../app/context";
import type { Channel, RunDetail } from "../client/types";
import { Curve } from "../plots/Curve";
import { Card } from "./Card";
import { useFrame } from "./useFrame";

/** The newest spectrum of a channel, or the one that is chosen. */
export function SpectrumCard({ run, channel }: { run: RunDetail; channel: Channel }) {
  const view = useView((v) => v);
  const frozen = useAppState((s) => s.frozen);
  const [range, setRange] = useState<[number, number] | null>(null);
  const { frame, lost, problem, drawn } = useFrame(
    {
      run: run.id,
      channel: channel.name,
      index: view.index,
      box: null,
      px: [4096, 1],
      stack: false,
      reduce: "max",
      slice: null,
      axis: 0,
      kind: "native",
      levels: null,
      auto: null,
      scale: "linear",
    },
    frozen,
  );
  const bin = frame?.header.bin[0] ?? 1;
  const lines = useMemo(() => {
    if (frame === null) return [];
    const x = Float64Array.from({ length: frame.width }, (_, k) => k * bin);
    return [{ name: channel.name, unit: channel.unit, x, y: frame.data, right: false, past: false }];
  }, [frame, channel.name, channel.unit, bin]);
  return (
    <Card
      title={channel.name}
      plot={{ kind: "spectrum", channel: channel.name }}
      problem={problem}
      note={`spectrum ${(frame?.header.index ?? -1) + 1} of ${frame?.header.count ?? 0}${lost ? `, ${lost} not shown` : ""}`}
    >
      {lines.length === 0 ? (
        <p className="empty">The first spectrum has not come yet.</p>
      ) : (
        <Curve
          label={`Spectrum ${channel.name}`}
          lines={lines}
          x={{ name: "bin", unit: "", time: false }}
          log={view.log}
          marks={[]}
          here={null}
          range={range}
          onRange={setRange}
          count={(frame?.header.index ?? -1) + 1}
          onDrawn={drawn}
        />
      )}
    </Card>
  );
}
