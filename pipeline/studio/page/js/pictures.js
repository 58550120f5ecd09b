// Canvases that show pictures, each in the size it came in.

/** Draw a picture's bytes; the canvas takes its size. False where the bytes are no picture. */
export async function draw(canvas, blob) {
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (bitmap === null) return false;
  if (canvas.width !== bitmap.width) canvas.width = bitmap.width;
  if (canvas.height !== bitmap.height) canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return true;
}
