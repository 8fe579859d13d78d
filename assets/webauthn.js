// Passkeys in the browser: options of the server in, answers for it out, as WebAuthn level 3 writes both in JSON. By hand,
// since not every browser that has passkeys has the conversions.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const described = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

// Why there are no passkeys here; "" where there are.
export function whyNoPasskeys() {
  const { protocol, hostname, port } = window.location;
  const isAddress = /^[0-9.]+$/.test(hostname) || hostname.startsWith("[");
  if (isAddress && ["127.0.0.1", "[::1]"].includes(hostname))
    return "Passkeys belong to a host name. Open " + protocol + "//localhost" + (port ? ":" + port : "") + " instead.";
  if (!window.isSecureContext)
    return "Passkeys need https, and this page came over plain http. Everything else works without.";
  if (isAddress) return "Passkeys belong to a host name, and this page was opened by its address.";
  if (!window.PublicKeyCredential || !navigator.credentials) return "This browser has no passkeys.";
  return "";
}

async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: described(options.excludeCredentials),
    },
  });
  return answerOf(made, { attestationObject: text(made.response.attestationObject) });
}

async function get(options) {
  const used = await navigator.credentials.get({
    publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: described(options.allowCredentials) },
  });
  const { authenticatorData, signature, userHandle } = used.response;
  return answerOf(used, {
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    ...(userHandle ? { userHandle: text(userHandle) } : {}),
  });
}

function answerOf(credential, response) {
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
  });
}

const WORDS = {
  NotAllowedError: "That was cancelled, or took too long. Try again.",
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "This browser allows no passkeys for this address.",
};

// Asks the server for options, the person for a passkey, and hands the answer on with `body`. What failed is in `error`.
async function through(post, ask, action, body, credentials) {
  const options = await post(ask, {});
  if (options.error) return options;
  let credential;
  try {
    credential = await credentials(options);
  } catch (failure) {
    const message = WORDS[failure.name] || "The browser could not do that (" + failure.name + ").";
    return { error: { code: "passkey_failed", message, request_id: "" } };
  }
  const answer = await post(action, { ...body, credential });
  if (!answer.error) {
    try {
      localStorage.setItem("ais-passkey", "used");
    } catch {
      // only a hint for later
    }
  }
  return answer;
}

export const askedAndShown = (post, ask, action, body) => through(post, ask, action, body, get);
export const askedAndMade = (post, ask, action, body) => through(post, ask, action, body, create);
