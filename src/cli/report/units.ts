// Numbers for people: sizes in decimal units, times in seconds and minutes, ages.

const sizeUnits = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `0B`, `512B`, `5.23kB`, `104.9MB`: decimal units with four significant digits, as buildx prints them. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < sizeUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${sizeUnits[unit]}`;
}

/** `5.2MB/s`; empty where it went too fast to tell. */
export function rateText(bytes: number, ms: number): string {
  return ms < 1000 || bytes === 0
    ? ""
    : `${sizeText(Number((bytes / (ms / 1000)).toPrecision(2)))}/s`;
}

/** `0.0s`, `12.3s`, `2m05s`, `1h02m`. */
export function secondsText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 99.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  const minutes = Math.floor(whole / 60);
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`;
}

const ages: readonly (readonly [seconds: number, word: string])[] = [
  [31_536_000, "year"],
  [2_592_000, "month"],
  [604_800, "week"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** `3 hours ago`, `just now`. */
export function ageText(then: Date, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - then.getTime()) / 1000));
  const fitting = ages.find(([size]) => seconds >= size);
  if (!fitting) return "just now";
  const count = Math.floor(seconds / fitting[0]);
  return `${count} ${fitting[1]}${count === 1 ? "" : "s"} ago`;
}
