// Aliases in docker's configuration: what `docker builder` means.
import type { Environment } from "./config-file.ts";
import { readDockerConfig } from "./docker-config.ts";
import { writeConfig } from "./docker-login.ts";
import { removeMember, setMember } from "./json-edit.ts";

/** Sets `aliases.NAME` of config.json, or removes it where `value` is undefined; no other byte changes. */
export function setDockerAlias(
  name: string,
  value: string | undefined,
  environment: Environment,
): void {
  const { file, text } = readDockerConfig(environment);
  if (value === undefined) {
    if (text.trim() !== "") writeConfig(file, removeMember(text, ["aliases", name]));
    return;
  }
  writeConfig(file, setMember(text.trim() === "" ? "{}" : text, ["aliases", name], value));
}
