/** `google.rpc.Status`, in which gRPC says once more why a call failed; clients go by the message there. */

import { printMessage, readMessage } from './protobuf.ts';
import { rpcStatus } from './shapes/buildkit.ts';

/** The status with its message as it is to be told; its details stay. @throws ProtobufFault */
export function withRpcMessage(status: Uint8Array, tell: (message: string) => string): Uint8Array {
  const { value } = readMessage(rpcStatus, status);
  return printMessage(rpcStatus, { ...value, Message: tell(String(value.Message ?? '')) });
}
