// The images that stages stand on: each is asked for and read once, however many stages stand on it.
import {
  formatPlatformFully,
  formatReference,
  type ImageConfig,
  type Platform,
  parseImageConfig,
  parseReference,
  withDefaultTag,
} from "../../oci/index.ts";
import type { ConvertIo, ConvertOptions } from "./options.ts";
import { type ImageParts, imageParts } from "./stage.ts";

/** An image as it was found. */
export interface FoundImage {
  /** The normalised name, with the digest where that is known. */
  readonly reference: string;
  readonly config: ImageConfig;
  /** The configuration again, as stages begin with it. */
  readonly parts: ImageParts;
  /** It has no layers, and stands for the empty file system. */
  readonly isEmpty: boolean;
}

export class BaseImages {
  readonly #options: ConvertOptions;
  readonly #io: ConvertIo;
  readonly #names = new Map<string, string>();
  readonly #found = new Map<Platform, Map<string, Promise<FoundImage>>>();

  constructor(options: ConvertOptions, io: ConvertIo) {
    this.#options = options;
    this.#io = io;
  }

  /** The normalised name of an image. Throws `REFERENCE_INVALID`. */
  name(written: string): string {
    let name = this.#names.get(written);
    if (name === undefined) {
      name = formatReference(withDefaultTag(parseReference(written)));
      this.#names.set(written, name);
    }
    return name;
  }

  /** The image of a normalised name. Throws what the lookup does, and `IMAGE_INVALID`. */
  find(name: string, platform: Platform): Promise<FoundImage> {
    let images = this.#found.get(platform);
    if (images === undefined) {
      images = new Map();
      this.#found.set(platform, images);
    }
    let image = images.get(name);
    if (image === undefined) {
      image = this.#lookUp(name, platform);
      images.set(name, image);
    }
    return image;
  }

  async #lookUp(name: string, platform: Platform): Promise<FoundImage> {
    const { imageResolveMode: mode = "default", multiPlatform } = this.#options;
    const where = multiPlatform ? `${formatPlatformFully(platform)} ` : "";
    const logName = `[${where}internal] load metadata for ${name}`;
    const answer = await this.#io.resolveImage(name, { platform, mode, logName });
    const { digest } = answer;
    const found = parseReference(answer.reference ?? name);
    const config = parseImageConfig(answer.config);
    return {
      reference: formatReference(digest === undefined ? found : { ...found, digest }),
      config,
      parts: imageParts(config),
      isEmpty: isEmpty(config),
    };
  }
}

/** Very old images do not list layers, but their history does. */
function isEmpty({ rootfs, history }: ImageConfig): boolean {
  return (
    rootfs.diff_ids.length === 0 && !(history ?? []).some((entry) => entry.empty_layer !== true)
  );
}
