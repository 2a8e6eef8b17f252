// Managed identities as App Service and virtual machines have them, with @azure/identity: prints whose the tokens are.

import { ManagedIdentityCredential } from "@azure/identity";

const clientId = "11111111-2222-3333-4444-555555555555";

async function show(name, credential) {
  const { token } = await credential.getToken("https://storage.azure.com/.default");
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  console.log(name, claims.aud.replace(/\/$/, ""), claims.appid === clientId ? "user-assigned" : "system-assigned");
}

await show("App Service", new ManagedIdentityCredential());
await show("App Service", new ManagedIdentityCredential({ clientId }));
delete process.env.IDENTITY_ENDPOINT;
delete process.env.IDENTITY_HEADER;
await show("IMDS", new ManagedIdentityCredential());
await show("IMDS", new ManagedIdentityCredential({ clientId }));
