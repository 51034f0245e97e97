// HEALTHCHECK: how to tell whether a container still works.
import type { HealthcheckInstruction } from "../instructions/healthcheck.ts";
import type { Converter } from "./environment.ts";
import { goDuration, goList } from "./go-format.ts";
import { noteLast } from "./last-instruction.ts";

export const convertHealthcheck: Converter<HealthcheckInstruction> = (stage, check, env) => {
  const { test, interval, timeout, startPeriod, startInterval, retries } = check;
  noteLast(stage, "healthcheck", check, env.linter);
  stage.config.Healthcheck = {
    Test: test,
    ...(interval === 0 ? {} : { Interval: interval }),
    ...(timeout === 0 ? {} : { Timeout: timeout }),
    ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
    ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
    ...(retries === 0 ? {} : { Retries: retries }),
  };
  const words = [
    `Test:${goList(test)}`,
    `Interval:${goDuration(interval)}`,
    `Timeout:${goDuration(timeout)}`,
    `StartPeriod:${goDuration(startPeriod)}`,
    `StartInterval:${goDuration(startInterval)}`,
    `Retries:${retries}`,
  ];
  stage.record(`HEALTHCHECK {${words.join(" ")}}`, false);
};
