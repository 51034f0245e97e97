// No progress: events are only remembered, for the words after a failure.
import type { BuildEvent } from "../../api/index.ts";
import type { Display } from "./display.ts";
import { ProgressModel } from "./model.ts";

export class QuietDisplay implements Display {
  readonly model: ProgressModel = new ProgressModel({ colored: false });

  event(event: BuildEvent): void {
    this.model.apply(event);
  }

  end(): void {}
}
