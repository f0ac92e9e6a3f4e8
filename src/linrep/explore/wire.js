"use strict";
// The connection: wishes out as JSON, looks in as bytes (see frames.py), everything else in as JSON.
const linrepWire = (heard, largest) => {
  const token = new URLSearchParams(location.search).get("token") || "";
  const socket = new WebSocket(`ws://${location.host}/live?token=${encodeURIComponent(token)}`);
  socket.binaryType = "arraybuffer";
  const early = [];
  const send = (wish) => {
    const text = JSON.stringify(wish), { serial } = wish;
    if (new TextEncoder().encode(text).length > largest) {  // such a one would end the connection
      heard({ kind: "refused", do: wish.do, serial, field: "bif", says: `too large: at most ${largest.toLocaleString("en-US")} bytes are taken here; use a smaller one` });
    } else if (socket.readyState === WebSocket.OPEN) socket.send(text);
    else if (socket.readyState === WebSocket.CONNECTING) early.push(wish);
  };
  socket.addEventListener("open", () => early.splice(0).forEach(send));
  socket.addEventListener("close", () => heard({ kind: "closed" }));
  socket.addEventListener("message", ({ data }) => {
    heard(typeof data === "string" ? JSON.parse(data) : frame(data));
  });

  function frame(bytes) {
    const length = new DataView(bytes).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    const whole = new Int16Array(bytes, 4 + length);
    const [corners, arrows] = head.sizes;
    const part = (from, to) => whole.subarray(3 * from, 3 * to);
    return {
      kind: "frame",
      ...head,
      corners: part(0, corners),
      arrows: part(corners, corners + arrows),
      contexts: part(corners + arrows, whole.length / 3),
    };
  }
  return { send, close: () => socket.close() };
};
