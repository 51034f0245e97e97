// All cases of the comparison.
import type { ReferenceCase } from "../case.ts";
import { configurationCases } from "./configuration.ts";
import { copyCases } from "./copy.ts";
import { languageCases } from "./language.ts";
import { runCases } from "./run.ts";

export const cases: readonly ReferenceCase[] = [
  ...copyCases,
  ...runCases,
  ...configurationCases,
  ...languageCases,
];
