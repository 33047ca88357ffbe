import { useApp, useAppState } from "../app/context";
import { moment, took } from "../app/words";
import type { Run, RunDetail } from "../client/types";
import { ending } from "./state";

/** The runs that a sequence is made of, and what was computed from a run. */
export function Parts({ run }: { run: RunDetail }) {
  const app = useApp();
  const listed = useAppState((s) => s.runs);
  const fresh = new Map(listed.map((one) => [one.id, one]));
  const parts = [...run.children.map((one) => fresh.get(one.id) ?? one)];
  for (const one of listed) if (one.parent === run.id && !parts.some((p) => p.id === one.id)) parts.push(one);
  parts.sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
  if (parts.length === 0) return null;
  return (
    <section className="parts" aria-label="Parts of this run">
      <table>
        <thead>
          <tr>
            <th scope="col">Scan</th>
            <th scope="col">What</th>
            <th scope="col">Points</th>
            <th scope="col">Began</th>
            <th scope="col">Took</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {parts.map((part) => {
            const { text, sort } = ending(part);
            return (
              <tr key={part.id}>
                <td>{part.number ?? "–"}</td>
                <td>
                  <button type="button" className="plain" onClick={() => app.view.go(shown(part))}>
                    {part.title || part.name}
                  </button>
                </td>
                <td>{part.total === null ? part.npoints : `${part.npoints} of ${part.total}`}</td>
                <td>{moment(part.start)}</td>
                <td>{part.end ? took(part.end.epoch - part.start) : ""}</td>
                <td className={`state ${sort}`}>{text}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const shown = (run: Run) => ({
  run: run.id,
  index: null,
  range: null,
  box: null,
  plot: null,
  channel: null,
});
