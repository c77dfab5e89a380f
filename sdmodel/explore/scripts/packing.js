// What is stored in the page: compressed parts, and the constants of the members.

/** The bytes of a compressed part of the page. */
export async function unpack(text) {
  const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Numbers from bytes that were stored with all first bytes first, then all second bytes, and so on. */
export function unshuffle(bytes) {
  const count = bytes.length / 8;
  const found = new Uint8Array(bytes.length);
  for (let at = 0; at < count; at++)
    for (let byte = 0; byte < 8; byte++) found[8 * at + byte] = bytes[byte * count + at];
  return new Float64Array(found.buffer);
}
