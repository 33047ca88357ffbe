import { useMemo } from "react";
import { useApp, useView } from "../app/context";
import type { FrameHeader } from "../client/types";
import { Histogram } from "../plots/Histogram";
import { type Shown, truth } from "../plots/Image";
import { QUANTILES } from "../plots/levels";
import { words } from "../plots/scale";

const percent = (share: number) => `${Number((100 * share).toPrecision(4))}`;

/** Which values have which colours: chosen by hand in the bar or as numbers, or by how many pixels are left out. */
export function Levels(props: { header: FrameHeader; shown: Shown; levels: [number, number]; unit: string }) {
  const app = useApp();
  const view = useView((v) => v);
  const { header, shown, levels } = props;
  const [low, high] = levels;
  const set = (next: [number, number]) => app.view.go({ levels: next }, true);
  const field = (label: string, value: number, change: (to: number) => void) => (
    <label>
      {label}
      <input
        type="number"
        step="any"
        key={`${label}${words(value)}`}
        defaultValue={Number(value.toPrecision(6))}
        onBlur={(event) => {
          const to = Number(event.target.value);
          if (Number.isFinite(to) && Math.abs(to - value) > 1e-5 * Math.abs(value)) change(to);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
        }}
      />
    </label>
  );
  const data = useMemo(() => {
    const { grey } = shown;
    return grey
      ? Float32Array.from(shown.data as ArrayLike<number>, (level) => truth(grey, level))
      : shown.data;
  }, [shown]);
  const auto = view.auto ?? QUANTILES[0];
  return (
    <fieldset className="levels">
      <legend>Levels</legend>
      {field("high", high, (to) => set([Math.min(low, to), to]))}
      <Histogram
        data={data}
        fill={shown.fill}
        quantiles={header.quantiles}
        levels={levels}
        scale={view.scale}
        colours={view.colours}
        unit={props.unit}
        onLevels={set}
      />
      {field("low", low, (to) => set([to, Math.max(high, to)]))}
      <label>
        Automatic, of the pixels
        <select
          value={view.levels === null ? String(auto) : ""}
          onChange={(event) => {
            const found = QUANTILES.find((pair) => String(pair) === event.target.value);
            if (found) {
              const plain = String(found) === String(QUANTILES[0]);
              app.view.go({ levels: null, auto: plain ? null : [found[0], found[1]] }, true);
            }
          }}
        >
          {view.levels !== null && <option value="">by hand</option>}
          {QUANTILES.map((pair) => (
            <option key={String(pair)} value={String(pair)}>
              {percent(pair[0])} to {percent(pair[1])} %
            </option>
          ))}
        </select>
      </label>
      <p className="note">
        values {words(header.quantiles["0"])} to {words(header.quantiles["1"])}, half of them below{" "}
        {words(header.quantiles["0.5"])}
      </p>
    </fieldset>
  );
}
