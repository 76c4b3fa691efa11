// A policy: containers are made of images that are pinned to a digest, so that a tag that moves changes nothing.
//
//   policies:
//     - use: ./pin-to-digest.mjs
//       except: ["localhost:5000/"]      # references that begin so need no digest
//       resolve: true                    # pin to the digest that the engine has for the tag, instead of refusing

/** @type {import('berthgate/plugins').PolicyPlugin<{ except: readonly string[]; resolve: boolean }>} */
export default {
  kind: 'policy',
  name: 'pin-to-digest',

  options(given) {
    const { except = [], resolve = false, ...rest } = /** @type {Record<string, unknown>} */ (given);
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new Error(`there is no option ${unknown}`);
    if (!Array.isArray(except) || !except.every((prefix) => typeof prefix === 'string')) {
      throw new Error('except must be a list of texts');
    }
    if (typeof resolve !== 'boolean') throw new Error('resolve must be true or false');
    return { except, resolve };
  },

  create({ except, resolve }, { refuse, readReference, formatReference }) {
    /** The reference with the digest that the engine has for it; null where it has none. */
    async function pinned(text, context) {
      const image = await context.lookUp('ImageInspect', { name: text });
      const wanted = readReference(text);
      for (const name of image?.RepoDigests ?? []) {
        const found = readReference(name);
        const same = found?.domain === wanted.domain && found.path === wanted.path;
        if (same) return formatReference({ ...found, tag: null });
      }
      return null;
    }

    return {
      async judge(call, context) {
        const text = call.endpoint.id === 'ContainerCreate' ? call.body.Image : undefined;
        if (typeof text !== 'string') return { call, rule: 'no-image', changes: [] };

        const reference = readReference(text);
        // Null is an id: that is as fixed as a digest.
        const fixed = reference === null || reference.digest !== null;
        if (fixed || except.some((prefix) => formatReference(reference).startsWith(prefix))) {
          return { call, rule: 'pinned', changes: [] };
        }

        const to = resolve ? await pinned(text, context) : null;
        if (to === null) {
          const hint = 'write the digest behind the name: IMAGE@sha256:…, as `docker images --digests` shows it';
          throw refuse('unpinned', 'must be pinned to a digest', { place: 'Image', hint });
        }
        const change = { rule: 'resolved', place: 'Image', from: text, to, warning: null, given: ['Image'] };
        return { call: { ...call, body: { ...call.body, Image: to } }, rule: 'resolved', changes: [change] };
      },
    };
  },
};
