/** `struct msghdr` of 64-bit Linux (recvmsg(2)): what comes or goes in one call, with what goes beside its bytes. */

/** As koffi is optional, so is everything that takes it. */
export type Koffi = typeof import('koffi').default;

export function messageHeader(koffi: Koffi): ReturnType<Koffi['struct']> {
  const vector = koffi.struct({ base: 'void *', length: 'size_t' });
  return koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    vectors: koffi.pointer(vector),
    vectorCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
}
