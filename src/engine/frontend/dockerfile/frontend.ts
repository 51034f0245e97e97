// The built-in Dockerfile frontend: reads the files, converts them for each platform, answers definitions and configurations.
import { randomBytes } from "node:crypto";
import type { FrontendResult, PlatformResult } from "../../../api/index.ts";
import { type Call, parseDigest, runAll } from "../../../base/index.ts";
import {
  type ConvertIo,
  type ConvertOptions,
  convertDockerfile,
} from "../../../formats/dockerfile/index.ts";
import { formatPlatform, hostPlatform, type Platform } from "../../../formats/oci/index.ts";
import type { Frontend } from "../frontend.ts";
import { parseDockerfileAttrs } from "./attributes.ts";
import {
  type BuildFiles,
  type LocalReader,
  readBuildFiles,
  readIgnorePatterns,
} from "./build-files.ts";

export function createDockerfileFrontend(): Frontend {
  return {
    name: "dockerfile.v0",
    async solve(attrs, bridge, call): Promise<FrontendResult> {
      const native = bridge.platforms[0] ?? hostPlatform(process.arch);
      const request = parseDockerfileAttrs(attrs, native);
      // One id for the whole build: stages that do not depend on the target are the same vertices on all platforms.
      const id = randomBytes(16).toString("hex");
      const reader = { bridge, native, id };
      const files = await readBuildFiles(request, reader, call);
      const targets = request.platforms.length > 0 ? request.platforms : [undefined];
      const platforms = await runAll(
        targets,
        (target, converting) => {
          const options = { ...request.options, buildPlatforms: bridge.platforms, newId: () => id };
          return convertFor(target, options, files, reader, converting);
        },
        call,
      );
      return { platforms, multiPlatform: request.multiPlatform, metadata: {} };
    },
  };
}

async function convertFor(
  target: Platform | undefined,
  options: ConvertOptions,
  files: BuildFiles,
  reader: LocalReader,
  call: Call,
): Promise<PlatformResult> {
  const context = { ...options.context, ignorePatterns: files.ignorePatterns };
  const converted = await convertDockerfile(
    files.dockerfile,
    {
      ...options,
      filename: files.filename,
      context,
      ...(target ? { targetPlatform: target } : {}),
    },
    ioOver(reader, call),
  );
  const platform = target ?? reader.native;
  return {
    platform,
    id: formatPlatform(platform),
    definition: converted.definition,
    config: converted.image,
    ...(converted.baseImage ? { baseConfig: converted.baseImage } : {}),
  };
}

function ioOver(reader: LocalReader, call: Call): ConvertIo {
  return {
    async resolveImage(reference, { platform, mode, logName }) {
      const found = await reader.bridge.resolveImage(reference, { platform, mode, logName }, call);
      return {
        reference: found.reference,
        digest: parseDigest(found.digest),
        config: found.rawConfig,
      };
    },
    ignorePatterns: (name) => readIgnorePatterns(name, reader, call),
  };
}
