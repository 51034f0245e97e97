// A stream that people or pipes read, as the command sees it.
import type { Style } from "./style.ts";

export interface Output {
  write(chunk: string | Uint8Array): void;
  readonly isTerminal: boolean;
  /** Size in cells; 80 by 24 where there is no terminal. Changes when the terminal does. */
  readonly columns: number;
  readonly rows: number;
  readonly style: Style;
}
