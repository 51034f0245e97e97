// From a name to the documents of one platform's image, asking the registry for no more than it must.
import type { Call } from "../../base/index.ts";
import type { PlatformImage, ResolveImageRequest } from "./image.ts";

/**
 * Looks up the image of one platform. A name without an index is taken as it is, whatever its platform, as the
 * reference does. Throws `IMAGE_NOT_FOUND`, `PLATFORM_NOT_OFFERED` (with what is offered), `IMAGE_INVALID` and the
 * registry's errors.
 */
export async function resolveImage(
  request: ResolveImageRequest,
  call: Call,
): Promise<PlatformImage> {
  throw new Error(`not yet ${request.reference} ${call.signal.aborted}`);
}
