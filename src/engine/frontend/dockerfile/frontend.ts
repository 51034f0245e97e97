// The built-in Dockerfile frontend: reads the files, converts them for each platform, answers definitions and configurations.
import { randomBytes } from "node:crypto";
import type { BuildBridge, FrontendResult, PlatformResult } from "../../../api/index.ts";
import { type Call, parseDigest, runAll } from "../../../base/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  convertDockerfile,
  type LintWarning,
} from "../../../formats/dockerfile/index.ts";
import { stateOf } from "../../../formats/llb/index.ts";
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  type Platform,
  platformOfConfig,
} from "../../../formats/oci/index.ts";
import type { Frontend } from "../frontend.ts";
import { answer } from "./answers.ts";
import { contextName, parseDockerfileAttrs } from "./attributes.ts";
import {
  type BuildFiles,
  type LocalReader,
  readBuildFiles,
  readIgnorePatterns,
} from "./build-files.ts";
import { openContext } from "./context.ts";
import { otherFrontend, placedAtSyntax, warnOfSyntax } from "./syntax.ts";

export function createDockerfileFrontend(): Frontend {
  return {
    name: "dockerfile.v0",
    async solve(attrs, bridge, call): Promise<FrontendResult> {
      const native = bridge.platforms[0] ?? hostPlatform(process.arch);
      const request = parseDockerfileAttrs(attrs, native);
      // One id for the whole build: stages that do not depend on the target are the same vertices on all platforms, and in
      // all builds that are lent the same directories at the same time.
      const id = bridge.localsId ?? randomBytes(16).toString("hex");
      const { sessionIds = {} } = request.options;
      const reader = { bridge, native, id, sessionIds };
      const opened = await openContext(request.context, reader, call);
      const files = await readBuildFiles(request, opened, reader, call);
      const options: ConvertOptions = {
        ...request.options,
        filename: files.filename,
        fileDefinition: files.definition,
        inputs: inputsOf(bridge, request.inputConfigs),
        context: {
          localName: contextName,
          ...(sessionIds[contextName] === undefined ? {} : { sessionId: sessionIds[contextName] }),
          ignorePatterns: files.ignorePatterns,
          ...(opened.state ? { state: opened.state } : {}),
        },
        buildPlatforms: bridge.platforms,
        newId: () => id,
      };
      const other = request.isForwarded ? undefined : otherFrontend(files, request.syntax);
      if (other) {
        const forwarded = { ...attrs, source: other.reference, cmdline: other.commandLine };
        const asked = { name: "gateway.v0", attrs: forwarded, inputs: bridge.inputs };
        return await bridge.frontend(asked, call).catch((error: unknown) => {
          throw placedAtSyntax(error, files, other.line);
        });
      }
      if (request.question !== undefined) {
        const [targetPlatform] = request.platforms;
        const asked = { ...options, ...(targetPlatform ? { targetPlatform } : {}) };
        const metadata = await answer(
          request.question,
          files.dockerfile,
          asked,
          ioOver(reader, call),
        );
        return { platforms: [], multiPlatform: false, metadata };
      }
      if (!request.isForwarded) warnOfSyntax(files, request.syntax, bridge);
      const warner = warningsTo(bridge, files);
      const targets = request.platforms.length > 0 ? request.platforms : [undefined];
      // Platforms find the same things in the same file: the first one speaks.
      const voices = targets.map((target, at) => ({ target, warn: at === 0 ? warner : undefined }));
      const platforms = await runAll(
        voices,
        ({ target, warn }, converting) =>
          convertFor(target, options, { files, reader, warn }, converting),
        call,
      );
      return { platforms, multiPlatform: request.multiPlatform, metadata: {} };
    },
  };
}

/** What came with the request, for contexts that are called `input:NAME`. */
function inputsOf(
  { inputs }: BuildBridge,
  configs: Readonly<Record<string, Uint8Array>>,
): ConvertOptions["inputs"] & object {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, definition]) => {
      const config = Object.hasOwn(configs, name) ? configs[name] : undefined;
      return [name, { files: stateOf(definition), ...(config === undefined ? {} : { config }) }];
    }),
  );
}

interface Conversion {
  readonly files: BuildFiles;
  readonly reader: LocalReader;
  readonly warn: ((warning: LintWarning) => void) | undefined;
}

async function convertFor(
  target: Platform | undefined,
  options: ConvertOptions,
  { files, reader, warn }: Conversion,
  call: Call,
): Promise<PlatformResult> {
  const converted = await convertDockerfile(
    files.dockerfile,
    { ...options, ...(target ? { targetPlatform: target } : {}) },
    { ...ioOver(reader, call), ...(warn ? { warn } : {}) },
  );
  // A base of another platform (`FROM --platform=…`) decides where no platform was asked for.
  const platform = target ?? normalizePlatform(platformOfConfig(converted.image));
  return {
    platform,
    id: formatPlatform(platform),
    definition: converted.definition,
    config: converted.image,
    ...(converted.baseImage ? { baseConfig: converted.baseImage } : {}),
    ...(converted.sbomExtras.size > 0 ? { sbomExtras: converted.sbomExtras } : {}),
    ...(converted.epoch ? { epoch: converted.epoch } : {}),
  };
}

function warningsTo(bridge: BuildBridge, files: BuildFiles): (warning: LintWarning) => void {
  const text = new TextDecoder().decode(files.dockerfile);
  return ({ rule, description, url, message, at: [first] }) => {
    const place = { file: files.filename, line: first?.start ?? 1, endLine: first?.end ?? 1, text };
    bridge.warn({
      message,
      detail: [description],
      url,
      rule,
      ...(first ? { at: place } : {}),
    });
  };
}

function ioOver(reader: LocalReader, call: Call): ConvertIo {
  return {
    async resolveImage(reference, { platform, mode, logName, layout }) {
      const lent = layout?.storeId === undefined ? {} : { layout: layout.storeId };
      const options = { platform, mode, logName, ...lent };
      const found = await reader.bridge.resolveImage(reference, options, call);
      return {
        reference: found.reference,
        digest: parseDigest(found.digest),
        config: found.rawConfig,
      };
    },
    sourceTime: (source, logName) => {
      const { bridge, native: platform, id } = reader;
      return bridge.modified(source.marshal({ platform, localUniqueId: id }), logName, call);
    },
    ignorePatterns: (name) => readIgnorePatterns(name, reader, call),
  };
}
