/** Credentials for registries, as they stand in headers and in `POST /auth`. */

import { asksRegistry, credential, type Mark, own } from '../marks.ts';
import { embedded, map, marked, object, text } from '../shape.ts';

function authConfig(serverAddress: Mark) {
  return object({
    username: text(credential),
    password: text(credential),
    auth: text(credential),
    // Gone from the document in 1.52; old clients go on sending it, and engines ignore it.
    email: text(credential),
    serveraddress: text(serverAddress),
    identitytoken: text(credential),
    registrytoken: text(credential),
  });
}

/** In a header the address only says what the credentials are for. */
const carried = authConfig(own);

/** The engine itself connects to the address to try the credentials. */
export const triedAuth = authConfig(asksRegistry);

/** `X-Registry-Auth`: for one registry. */
export const registryAuth = { 'x-registry-auth': marked(embedded(carried, 'base64url-json'), credential) };

/** `X-Registry-Config`: for each registry that a build may speak with, by host. */
export const registryConfig = {
  'x-registry-config': marked(embedded(map(carried, text(own)), 'base64url-json'), credential),
};
