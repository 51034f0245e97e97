// Looking up images for a plan: one that lacks a platform is noted, and another of its platforms stands in, so that all are seen.
import type { PlannedImage } from "../../api/index.ts";
import { isKilnError } from "../../base/index.ts";
import {
  formatPlatform,
  matchPlatform,
  normalizePlatform,
  parsePlatform,
  platformOfConfig,
} from "../../formats/oci/index.ts";
import type { ImageSource } from "../source/index.ts";

type Lookup = Pick<ImageSource, "resolveImage">;

/** `images` whose answers are noted. `found()` has each reference and platform once, in the order of asking. */
export function watchImages(images: Lookup): Lookup & { found(): readonly PlannedImage[] } {
  const notes = new Map<string, PlannedImage | undefined>();
  return {
    found: () => [...notes.values()].filter((note) => note !== undefined),
    async resolveImage(reference, options, session, call) {
      const platform = formatPlatform(options.platform);
      const key = `${reference} ${platform}`;
      // Its place, before the answer is there.
      if (!notes.has(key)) notes.set(key, undefined);
      const note = (found: Omit<PlannedImage, "reference" | "platform">) =>
        notes.set(key, { reference, platform, ...found });
      try {
        const answer = await images.resolveImage(reference, options, session, call);
        const actual = normalizePlatform(platformOfConfig(answer.config));
        const name = formatPlatform(actual);
        if (matchPlatform(options.platform).matches(actual)) note({ state: "offered" });
        else note({ state: "other", offered: name, nearest: name });
        return answer;
      } catch (error) {
        if (!isKilnError(error) || error.code !== "PLATFORM_NOT_OFFERED") throw error;
        const { offered, nearest } = error.details as Readonly<Record<string, string | undefined>>;
        note({
          state: "missing",
          ...(offered === undefined ? {} : { offered }),
          ...(nearest === undefined ? {} : { nearest }),
        });
        const standIn = nearest ?? offered?.split(", ")[0];
        if (standIn === undefined || standIn === "none") throw error;
        const instead = { ...options, platform: parsePlatform(standIn, options.platform) };
        return await images.resolveImage(reference, instead, session, call);
      }
    },
  };
}
