/** Where an engine is, and how it is spoken to. */

type EngineAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Files, PEM. */
export interface EngineTls {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface EngineOptions {
  readonly name: string;
  readonly url: EngineAddress;
  readonly tls?: EngineTls | undefined;
}
