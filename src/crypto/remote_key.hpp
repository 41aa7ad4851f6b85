// A key of OpenSSL whose private half is a PrivateKeys. Included by .cpp files of crypto/ only.
#pragma once

#include "crypto/openssl.hpp"
#include "crypto/private_keys.hpp"

namespace facteur::crypto {

Result<KeyId> key_id_of(EVP_PKEY* public_key);

// For the public key of a certificate; null if its kind cannot be held elsewhere. The key keeps `keys` alive.
KeyPointer remote_key(X509* certificate, std::shared_ptr<PrivateKeys> keys);

}  // namespace facteur::crypto
