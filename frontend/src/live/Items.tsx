import { useApp, useView } from "../app/context";
import type { RunDetail } from "../client/types";
import { words } from "../plots/scale";
import { counters, defaultX, defaultY, positions } from "./choose";

const MARKS = ["peak", "cen", "com", "fwhm", "trough"] as const;

/** What the curves show: axis, counters, and how. */
export function Items({ run }: { run: RunDetail }) {
  const app = useApp();
  const view = useView((v) => v);
  const all = counters(run);
  const along = positions(run);
  const y = view.y.length > 0 ? view.y.filter((name) => all.includes(name)) : defaultY(run);
  const x = view.x ?? defaultX(run) ?? "point";
  const go = (change: Parameters<typeof app.view.go>[0]) => app.view.go(change, true);
  return (
    <aside className="items" aria-label="What is shown">
      {all.length > 0 && (
        <fieldset>
          <legend>Curves</legend>
          <label>
            Along
            <select value={x} onChange={(event) => go({ x: event.target.value, range: null })}>
              <option value="point">point</option>
              {along.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <ul className="checks">
            {all.map((name) => {
              const on = y.includes(name);
              const right = view.right.includes(name);
              return (
                <li key={name}>
                  <label>
                    <input
                      type="checkbox"
                      checked={on}
                      onChange={() => go({ y: on ? y.filter((one) => one !== name) : [...y, name] })}
                    />
                    {name}
                  </label>
                  {on && (
                    <button
                      type="button"
                      className="quiet"
                      aria-pressed={right}
                      aria-label={`${name} on the right axis`}
                      onClick={() =>
                        go({ right: right ? view.right.filter((n) => n !== name) : [...view.right, name] })
                      }
                    >
                      {right ? "right" : "left"}
                    </button>
                  )}
                </li>
              );
            })}
          </ul>
          <label>
            Divide by
            <select
              value={view.monitor ?? ""}
              onChange={(event) => go({ monitor: event.target.value || null })}
            >
              <option value="">nothing</option>
              {all.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            <input type="checkbox" checked={view.log} onChange={() => go({ log: !view.log })} /> logarithmic
          </label>
          <label>
            <input
              type="checkbox"
              checked={view.derivative}
              onChange={() => go({ derivative: !view.derivative })}
            />{" "}
            derivative
          </label>
        </fieldset>
      )}
      {all.length > 0 && (
        <fieldset>
          <legend>Marks</legend>
          {MARKS.map((kind) => (
            <label key={kind}>
              <input
                type="checkbox"
                checked={view.marks.includes(kind)}
                onChange={() =>
                  go({
                    marks: view.marks.includes(kind)
                      ? view.marks.filter((k) => k !== kind)
                      : [...view.marks, kind],
                  })
                }
              />{" "}
              {kind}
            </label>
          ))}
        </fieldset>
      )}
      <details>
        <summary>Positions at the start</summary>
        <dl>
          {Object.entries(run.positioners).map(([name, at]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                {words(at.value, 6)} {at.unit}
              </dd>
            </div>
          ))}
        </dl>
      </details>
      {run.path !== null && (
        <details>
          <summary>In Python</summary>
          <pre>{`import firstlight\nrun = firstlight.open(\n  ${JSON.stringify(run.path)})\nrun[${JSON.stringify(y[0] ?? Object.keys(run.channels)[0] ?? "")}][:]`}</pre>
        </details>
      )}
    </aside>
  );
}
