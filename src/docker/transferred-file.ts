/** Bytes that a client's session carries: pieces of files as BuildKit asks for them, and of a session within a call. */

import { printMessage, readMessage } from './protobuf.ts';
import { bytesMessage, filePacket } from './shapes/buildkit.ts';

/** tonistiigi/fsutil, types/wire.proto. */
const DATA = 2;

export interface FilePiece {
  /** Which of the files of this transfer. */
  readonly file: number;
  /** One byte a character. */
  readonly bytes: string;
}

/** Null for a packet that carries no contents. */
export function filePieceIn(packet: Uint8Array): FilePiece | null {
  const { Type: type = 0, ID: file = 0, Data: bytes = '' } = readMessage(filePacket, packet).value;
  return Number(type) === DATA ? { file: Number(file), bytes: String(bytes) } : null;
}

/** One byte a character. */
export function sessionBytesIn(message: Uint8Array): string {
  return String(readMessage(bytesMessage, message).value.Data ?? '');
}

export function sessionMessage(bytes: string): Uint8Array {
  return printMessage(bytesMessage, { Data: bytes });
}
