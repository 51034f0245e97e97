// Asks for every image once, however many stages stand on it.
import { formatPlatformFully } from "../../oci/index.ts";
import type { ConvertIo, ImageAnswer } from "./options.ts";

/** The same questions get the same answer, also while that is still on its way. */
export function askingOnce(io: ConvertIo): ConvertIo {
  const answers = new Map<string, Promise<ImageAnswer>>();
  return {
    ...io,
    resolveImage: (reference, question) => {
      const { platform, mode, logName, layout } = question;
      const key = JSON.stringify([reference, formatPlatformFully(platform), mode, logName, layout]);
      const known = answers.get(key);
      if (known !== undefined) return known;
      const answer = io.resolveImage(reference, question);
      answers.set(key, answer);
      return answer;
    },
  };
}
