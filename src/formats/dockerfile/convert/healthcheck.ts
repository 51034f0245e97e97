// HEALTHCHECK: how to tell whether a container still works.
import type { HealthcheckInstruction } from "../instructions/healthcheck.ts";
import type { Converter } from "./environment.ts";
import { goDuration, goList } from "./go-format.ts";
import { recorded } from "./history.ts";
import { noteLast } from "./last-instruction.ts";
import { configured } from "./stage.ts";

export const convertHealthcheck: Converter<HealthcheckInstruction> = (stage, check, env) => {
  const { test, interval, timeout, startPeriod, startInterval, retries } = check;
  const noted = noteLast(stage, "healthcheck", check, env.linter);
  const changed = configured(noted, {
    Healthcheck: {
      Test: test,
      ...(interval === 0 ? {} : { Interval: interval }),
      ...(timeout === 0 ? {} : { Timeout: timeout }),
      ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
      ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
      ...(retries === 0 ? {} : { Retries: retries }),
    },
  });
  const words = [
    `Test:${goList(test)}`,
    `Interval:${goDuration(interval)}`,
    `Timeout:${goDuration(timeout)}`,
    `StartPeriod:${goDuration(startPeriod)}`,
    `StartInterval:${goDuration(startInterval)}`,
    `Retries:${retries}`,
  ];
  return recorded(changed, `HEALTHCHECK {${words.join(" ")}}`, false);
};
