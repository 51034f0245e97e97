// The build checks: every rule as data, and the linter that gathers what does not hold.
import { consistentInstructionCasing } from "./consistent-instruction-casing.ts";
import { copyIgnoredFile } from "./copy-ignored-file.ts";
import { duplicateStageName } from "./duplicate-stage-name.ts";
import { exposeInvalidFormat } from "./expose-invalid-format.ts";
import { exposeProtoCasing } from "./expose-proto-casing.ts";
import { fromAsCasing } from "./from-as-casing.ts";
import { fromPlatformFlagConstDisallowed } from "./from-platform-flag-const-disallowed.ts";
import { invalidBaseImagePlatform } from "./invalid-base-image-platform.ts";
import { invalidDefaultArgInFrom } from "./invalid-default-arg-in-from.ts";
import { invalidDefinitionDescription } from "./invalid-definition-description.ts";
import { jsonArgsRecommended } from "./json-args-recommended.ts";
import { legacyKeyValueFormat } from "./legacy-key-value-format.ts";
import { maintainerDeprecated } from "./maintainer-deprecated.ts";
import { multipleInstructionsDisallowed } from "./multiple-instructions-disallowed.ts";
import { noEmptyContinuation } from "./no-empty-continuation.ts";
import { redundantTargetPlatform } from "./redundant-target-platform.ts";
import { reservedStageName } from "./reserved-stage-name.ts";
import type { Rule } from "./rule.ts";
import { secretsUsedInArgOrEnv } from "./secrets-used-in-arg-or-env.ts";
import { stageNameCasing } from "./stage-name-casing.ts";
import { undefinedArgInFrom } from "./undefined-arg-in-from.ts";
import { undefinedVar } from "./undefined-var.ts";
import { workdirRelativePath } from "./workdir-relative-path.ts";

export { createLinter, type Linter, type LintOptions } from "./linter.ts";
export { parseLintOptions } from "./options.ts";
export type { LintWarning, Rule } from "./rule.ts";
export {
  consistentInstructionCasing,
  copyIgnoredFile,
  duplicateStageName,
  exposeInvalidFormat,
  exposeProtoCasing,
  fromAsCasing,
  fromPlatformFlagConstDisallowed,
  invalidBaseImagePlatform,
  invalidDefaultArgInFrom,
  invalidDefinitionDescription,
  jsonArgsRecommended,
  legacyKeyValueFormat,
  maintainerDeprecated,
  multipleInstructionsDisallowed,
  noEmptyContinuation,
  redundantTargetPlatform,
  reservedStageName,
  secretsUsedInArgOrEnv,
  stageNameCasing,
  undefinedArgInFrom,
  undefinedVar,
  workdirRelativePath,
};

/** Every rule, by name. */
export const lintRules: Readonly<Record<string, Rule<never>>> = {
  ConsistentInstructionCasing: consistentInstructionCasing,
  CopyIgnoredFile: copyIgnoredFile,
  DuplicateStageName: duplicateStageName,
  ExposeInvalidFormat: exposeInvalidFormat,
  ExposeProtoCasing: exposeProtoCasing,
  FromAsCasing: fromAsCasing,
  FromPlatformFlagConstDisallowed: fromPlatformFlagConstDisallowed,
  InvalidBaseImagePlatform: invalidBaseImagePlatform,
  InvalidDefaultArgInFrom: invalidDefaultArgInFrom,
  InvalidDefinitionDescription: invalidDefinitionDescription,
  JSONArgsRecommended: jsonArgsRecommended,
  LegacyKeyValueFormat: legacyKeyValueFormat,
  MaintainerDeprecated: maintainerDeprecated,
  MultipleInstructionsDisallowed: multipleInstructionsDisallowed,
  NoEmptyContinuation: noEmptyContinuation,
  RedundantTargetPlatform: redundantTargetPlatform,
  ReservedStageName: reservedStageName,
  SecretsUsedInArgOrEnv: secretsUsedInArgOrEnv,
  StageNameCasing: stageNameCasing,
  UndefinedArgInFrom: undefinedArgInFrom,
  UndefinedVar: undefinedVar,
  WorkdirRelativePath: workdirRelativePath,
};
