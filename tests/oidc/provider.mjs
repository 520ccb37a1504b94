// A certified OpenID provider for the sign-in tests: node provider.mjs PORT CALLBACK AFTER_SIGN_OUT
// POST /test/who says who signs in next (JSON: sub, acr, claims); POST /test/rotate replaces its signing keys.
import { createServer } from 'node:http';
import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';

const [port, callback, after] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
let who = { sub: 'nobody', acr: undefined, claims: {} };
let provider;

async function signingKey(alg, kid) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid };
}

async function build(generation) {
  const made = new Provider(issuer, {
    clients: [{
      client_id: 'hub', client_secret: 'a secret: with/odd+letters%', redirect_uris: [callback],
      post_logout_redirect_uris: [after], id_token_signed_response_alg: 'ES256',
    }],
    jwks: { keys: [await signingKey('RS256', `rsa-${generation}`), await signingKey('ES256', `ec-${generation}`)] },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => true },
    acrValues: ['urn:example:two-factors', 'urn:example:password'],
    claims: { openid: ['sub', 'acr', 'auth_time', 'preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: true } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...who.claims }) }),
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
  });
  made.on('server_error', (_, error) => console.error(error));
  return made;
}

async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    const login = { accountId: who.sub, acr: who.acr, remember: false };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

async function told(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text || '{}');
}

let generation = 1;
provider = await build(generation);
createServer(async (request, response) => {
  try {
    if (request.url === '/test/who') {
      who = { claims: {}, ...(await told(request)) };
      response.end('ok');
    } else if (request.url === '/test/rotate') {
      generation += 1;
      provider = await build(generation);
      response.end('ok');
    } else if (request.url.startsWith('/interaction/')) {
      await interact(request, response);
    } else {
      await provider.callback()(request, response);
    }
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
