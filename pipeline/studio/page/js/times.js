// Times and numbers as a person reads them.

/** "0:03.25" */
export function clock(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return "–:––";
  const minutes = Math.floor(seconds / 60 + 1e-6);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

/** "about 3 min" */
export function left(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min left`;
  return `${(seconds / 3600).toFixed(1)} h left`;
}

/** "3.2 frames/s", or "1.5 s/frame" where it is slow. */
export function speed(frames) {
  if (!frames) return "";
  return frames >= 1 ? `${frames.toFixed(1)} frames/s` : `${(1 / frames).toFixed(1)} s/frame`;
}

/** As many digits as say something. */
export function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  return size >= 1000 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 0.1 || size === 0 ? value.toFixed(2) : value.toPrecision(2);
}

/** What a state is called, and its icon. */
export const STATES = {
  waiting: ["Starting", "wait"], rendering: ["Rendering", "record"], stopped: ["Stopped", "pause"], finished: ["Finished", "check"], failed: ["Failed", "error"],
};
