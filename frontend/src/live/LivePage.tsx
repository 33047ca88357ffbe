import { useApp, useAppState, useSession, useView } from "../app/context";
import { current } from "../app/state";
import { CurveCard } from "./CurveCard";
import { choose } from "./choose";
import { History } from "./History";
import { ImageCard } from "./ImageCard";
import { Intro } from "./Intro";
import { Items } from "./Items";
import { useLayout } from "./layout";
import { MapCard } from "./MapCard";
import { Parts } from "./Parts";
import { RunHeader } from "./RunHeader";
import { SpectrumCard } from "./SpectrumCard";
import { useRun } from "./useRun";

const SMALL = 4;

/** What runs now, or the run that was chosen. */
export function LivePage() {
  const app = useApp();
  const view = useView((v) => v);
  const id = useAppState((s) => current(s.runs, view.run, view.session));
  const loaded = useAppState((s) => s.loaded);
  const run = useRun(id);
  useLayout(run === null ? null : run.name);
  const plots = run === null ? [] : choose(run);
  const large = plots.find((plot) => plot.kind === view.plot && plot.channel === view.channel);
  const shown = large ? [large] : plots.slice(0, SMALL);
  return (
    <main className="live" data-run={id ?? ""} data-state={run?.state ?? ""}>
      <History chosen={id} />
      <div className="centre">
        <Intro run={run} />
        {run === null ? (
          <Empty loaded={loaded} any={id !== null} />
        ) : (
          <>
            <RunHeader run={run} following={view.run === null} />
            {large === undefined && <Parts run={run} />}
            {plots.length === 0 ? (
              run.children.length > 0 || run.parameters.steps ? null : (
                <p className="empty">
                  {run.end === null
                    ? "The first point has not come yet; plots appear with it."
                    : "This run has nothing that can be plotted."}
                </p>
              )
            ) : (
              <div className={`cards cards-${shown.length}`}>
                {shown.map((plot) => {
                  const channel = plot.channel === null ? undefined : run.channels[plot.channel];
                  const key = `${run.id} ${plot.key}`;
                  if (plot.kind === "curve") return <CurveCard key={key} run={run} title={plot.title} />;
                  if (plot.kind === "map") return <MapCard key={key} run={run} title={plot.title} />;
                  if (channel === undefined) return null;
                  if (plot.kind === "spectrum") return <SpectrumCard key={key} run={run} channel={channel} />;
                  return (
                    <ImageCard key={key} run={run} channel={channel} stack={plot.kind === "waterfall"} />
                  );
                })}
              </div>
            )}
            {large === undefined && plots.length > SMALL && (
              <nav className="more" aria-label="More plots">
                {plots.slice(SMALL).map((plot) => (
                  <button
                    key={plot.key}
                    type="button"
                    onClick={() => app.view.go({ plot: plot.kind, channel: plot.channel })}
                  >
                    {plot.title}
                  </button>
                ))}
              </nav>
            )}
          </>
        )}
      </div>
      {run !== null && <Items run={run} />}
    </main>
  );
}

function Empty({ loaded, any }: { loaded: boolean; any: boolean }) {
  const session = useSession();
  if (!loaded || any) return <p className="empty">Looking for runs …</p>;
  return (
    <section className="welcome">
      <h2>No run yet</h2>
      {session?.alive ? (
        <p>
          Session {session.name} is ready. Type a scan into its shell, for instance{" "}
          <code>loopscan(100, 0.1)</code>; it appears here while it runs.
        </p>
      ) : (
        <p>
          No session runs on this machine. Start one with <code>firstlight shell</code>, or see a whole
          experiment with <code>firstlight demo</code>.
        </p>
      )}
    </section>
  );
}
