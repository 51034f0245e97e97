// Mistakes in Dockerfiles as people make them: one file each, with what was written and what is said of it.
import { join } from "node:path";
import { expect, it } from "vitest";
import { KilnError } from "../../../src/base/index.ts";
import { createStyle, errorText } from "../../../src/cli/report/index.ts";
import { type ConvertIo, convertDockerfile } from "../../../src/formats/dockerfile/index.ts";

const cases: Readonly<Record<string, string>> = {
  "unknown-instruction": "FROM busybox\nRUM make\n",
  "unknown-instruction-nothing-near": "FROM busybox\nINSTALL make\n",
  "missing-keyword-after-lost-continuation": "FROM busybox\nRUN apt-get update &&\n    apt-get install -y make\n",
  "unknown-flag": "FROM busybox\nCOPY --chwon=1000 a b\n",
  "flag-of-another-instruction": "FROM busybox\nRUN --from=tools make\n",
  "flag-where-none-is": "FROM busybox\nWORKDIR --parents /srv\n",
  "flag-twice": "FROM busybox\nCOPY --chown=1 --chown=2 a b\n",
  "flag-without-value": "FROM busybox\nCOPY --chown a b\n",
  "flag-not-boolean": "FROM busybox\nCOPY --link=yes a b\n",
  "all-mistakes-at-once":
    "FROM busybox AS 1st\nCOPY --chwon=1 --lnik a\nENV\nRUN --network=bridge make\nHEALTHCHECK --interval=5 CMD true\nSHELL bash -c\n",
  "no-from": "RUN make\nCOPY a b\n",
  "no-instruction": "# nothing here yet\n\n",
  "from-without-image": "FROM\n",
  "from-too-many-words": "FROM busybox as tools here\n",
  "stage-name-starts-with-digit": "FROM busybox AS 2nd\n",
  "stage-misspelt": "FROM busybox AS build\nRUN make\nFROM scratch\nCOPY --from=biuld /out /\nFROM biuld AS last\n",
  "stage-circle": "FROM busybox AS a\nCOPY --from=b /x /\nFROM busybox AS b\nCOPY --from=a /x /\n",
  "base-name-malformed": "FROM Busy Box\n",
  "base-name-upper-case": "FROM BusyBox\n",
  "base-variable-empty": "ARG TAG\nFROM $IMGAE\n",
  "heredoc-never-closed": "FROM busybox\nRUN <<EOF\nmake\n",
  "heredoc-closed-with-indent": "FROM busybox\nRUN <<EOF\n  make\n  EOF\n",
  "heredoc-as-destination": "FROM busybox\nCOPY a <<EOF\nx\nEOF\n",
  "json-with-single-quotes": "FROM busybox\nSHELL ['/bin/bash', '-c']\n",
  "json-of-numbers": 'FROM busybox\nCMD ["serve", 8080]\n',
  "shell-without-words": "FROM busybox\nSHELL []\n",
  "env-without-value": "FROM busybox\nENV MODE\n",
  "env-pair-without-sign": "FROM busybox\nENV MODE=release VERBOSE\n",
  "env-blank-name": "FROM busybox\nENV =release\n",
  "label-without-value": "FROM busybox\nLABEL description\n",
  "arg-blank-name": "FROM busybox\nARG =1\n",
  "copy-one-word": "FROM busybox\nCOPY app\n",
  "copy-no-word": "FROM busybox\nCOPY\n",
  "workdir-without-path": "FROM busybox\nWORKDIR\n",
  "volume-blank": 'FROM busybox\nVOLUME [""]\n',
  "healthcheck-unknown-type": "FROM busybox\nHEALTHCHECK curl localhost\n",
  "healthcheck-none-with-words": "FROM busybox\nHEALTHCHECK NONE now\n",
  "healthcheck-no-command": "FROM busybox\nHEALTHCHECK CMD\n",
  "healthcheck-interval": "FROM busybox\nHEALTHCHECK --interval=30 CMD true\n",
  "healthcheck-retries": "FROM busybox\nHEALTHCHECK --retries=-1 CMD true\n",
  "onbuild-chained": "FROM busybox\nONBUILD ONBUILD RUN make\n",
  "onbuild-from": "FROM busybox\nONBUILD FROM alpine\n",
  "mount-unknown-type": "FROM busybox\nRUN --mount=type=cahce,target=/c make\n",
  "mount-unknown-option": "FROM busybox\nRUN --mount=type=cache,taget=/c make\n",
  "mount-option-of-another-type": "FROM busybox\nRUN --mount=type=bind,target=/c,mode=0755 make\n",
  "mount-without-value": "FROM busybox\nRUN --mount=type=cache,target make\n",
  "mount-variable-in-from": "FROM busybox\nARG X=a\nRUN --mount=from=$X,target=/c make\n",
  "mount-secret-without-name": "FROM busybox\nRUN --mount=type=secret make\n",
  "mount-sharing": "FROM busybox\nRUN --mount=type=cache,target=/c,sharing=lock make\n",
  "network-unknown": "FROM busybox\nRUN --network=hots make\n",
  "security-unknown": "FROM busybox\nRUN --security=none make\n",
  "variable-unclosed-brace": "FROM busybox\nWORKDIR /srv/${NAME\n",
  "variable-unknown-modifier": "FROM busybox\nENV A=1\nWORKDIR /srv/${A^^}\n",
  "variable-required": "FROM busybox\nARG VERSION\nENV V=\"${VERSION:?give it with --build-arg}\"\n",
  "quote-never-closed": 'FROM busybox\nLABEL a="b\n',
  "escape-directive": "# escape=/\nFROM busybox\n",
  "directive-twice": "# syntax=docker/dockerfile:1\n# syntax=docker/dockerfile:1.4\nFROM busybox\n",
  "platform-malformed": "FROM --platform=linux/ busybox\n",
  "chmod-malformed": "FROM busybox\nCOPY --chmod=rwx a b\n",
  "checksum-malformed": "FROM busybox\nADD --checksum=md5:1 https://example.org/a /\n",
  "expose-not-a-port": "FROM busybox\nEXPOSE http\n",
  "copy-url": "FROM busybox\nCOPY https://example.org/a /\n",
};

const io: ConvertIo = {
  async resolveImage(reference) {
    if (reference.includes("biuld")) throw new KilnError("IMAGE_NOT_FOUND", `${reference} does not exist`);
    const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] } };
    return { config: new TextEncoder().encode(JSON.stringify(config)) };
  },
};

async function said(dockerfile: string): Promise<string> {
  const options = { buildPlatforms: [{ os: "linux", architecture: "amd64" }], newId: () => "id" };
  try {
    const { warnings } = await convertDockerfile(new TextEncoder().encode(dockerfile), options, io);
    return `accepted, with the warnings ${warnings.map(({ message }) => message).join(", ")}\n`;
  } catch (error) {
    return errorText(error, { style: createStyle(false), debug: false });
  }
}

it.each(Object.entries(cases))("%s", async (name, dockerfile) => {
  const text = await said(dockerfile);
  expect(text).not.toMatch(/^accepted/);
  await expect(`${dockerfile}\n${text}`).toMatchFileSnapshot(join(import.meta.dirname, "mistakes", `${name}.txt`));
});
