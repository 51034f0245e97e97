// What every way of showing a build has in common, and the loop that feeds it.
import type { BuildEvent } from "../../api/index.ts";

/** Shows a build. Methods are called in order: events and ticks, then `end` once. */
export interface Display {
  event(event: BuildEvent): void;
  /** Time has passed. Not called at all unless `tickMs` says how often. */
  tick?(): void;
  readonly tickMs?: number;
  end(): void;
}

/** Feeds a build's events to a display until they end, then ends the display, however that came about. */
export async function showProgress(
  events: AsyncIterable<BuildEvent>,
  display: Display,
): Promise<void> {
  const timer =
    display.tickMs === undefined ? undefined : setInterval(() => display.tick?.(), display.tickMs);
  try {
    for await (const event of events) display.event(event);
  } finally {
    clearInterval(timer);
    display.end();
  }
}
