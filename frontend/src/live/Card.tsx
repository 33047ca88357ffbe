import type { ReactNode } from "react";
import { useApp, useView } from "../app/context";
import type { PlotKind } from "../app/view";

/** One plot: its name, what is lost or reduced in it, and a way to see it large. */
export function Card(props: {
  title: string;
  plot: { kind: PlotKind; channel: string | null };
  note?: string;
  problem?: string;
  tools?: ReactNode;
  children: ReactNode;
}) {
  const app = useApp();
  const large = useView((v) => v.plot === props.plot.kind && v.channel === props.plot.channel);
  return (
    <section className={large ? "card large" : "card"} aria-label={props.title} data-plot={props.plot.kind}>
      <header>
        <h3>{props.title}</h3>
        {props.tools}
        <button
          type="button"
          className="quiet"
          aria-pressed={large}
          onClick={() =>
            app.view.go(
              large
                ? { plot: null, channel: null, box: null }
                : { plot: props.plot.kind, channel: props.plot.channel, box: null },
            )
          }
        >
          {large ? "All plots" : "Large"}
        </button>
      </header>
      <div className="plot">{props.children}</div>
      {props.problem ? <p className="problem">{props.problem}</p> : null}
      {props.note ? <p className="note">{props.note}</p> : null}
    </section>
  );
}
