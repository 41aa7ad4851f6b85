#include "crypto/private_keys.hpp"
#include "crypto/remote_key.hpp"

#include <openssl/rsa.h>

namespace facteur::crypto {

struct KeyRing::Inside {
  std::map<KeyId, KeyPointer> keys;
};

KeyRing::KeyRing() : inside_(std::make_unique<Inside>()) {}
KeyRing::~KeyRing() = default;

Result<KeyId> key_id_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  KeyId id{};
  unsigned length = 0;
  const bool done =
      size > 0 && EVP_Digest(der, static_cast<std::size_t>(size), id.data(), &length, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(der);
  if (!done) return failure(Failure::Kind::permanent, "F-1230", "The public key cannot be used", openssl_error());
  return id;
}

Result<KeyId> KeyRing::add(std::string_view chain_pem, std::string_view key_pem) {
  const auto chain = certificates_of(chain_pem);
  if (chain.empty()) return failure(Failure::Kind::permanent, "F-1231", "No certificate can be read");
  const BioPointer text(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  char none[] = "";  // OpenSSL must not ask the terminal for a password.
  KeyPointer key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, none));
  if (!key) return failure(Failure::Kind::permanent, "F-1232", "The key cannot be read", openssl_error());
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return failure(Failure::Kind::permanent, "F-1233", "The key does not belong to the first certificate");
  }
  const int kind = EVP_PKEY_get_base_id(key.get());
  if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC) {
    return failure(Failure::Kind::permanent, "F-1234", "Only RSA and ECDSA keys can be held apart from the server");
  }
  auto id = key_id_of(key.get());
  if (id) inside_->keys[*id] = std::move(key);
  return id;
}

Result<std::string> KeyRing::use(const KeyId& id, KeyOperation operation, Bytes input) {
  const auto refused = [](std::string_view why) {
    return failure(Failure::Kind::refused, "F-1235", "The key cannot be used", std::string(why));
  };
  const auto found = inside_->keys.find(id);
  if (found == inside_->keys.end()) return refused("there is no such key");
  EVP_PKEY* const key = found->second.get();
  const bool ecdsa = operation == KeyOperation::ecdsa;
  if (EVP_PKEY_get_base_id(key) != (ecdsa ? EVP_PKEY_EC : EVP_PKEY_RSA)) return refused("it is of another kind");
  const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
  if (ecdsa && (input.size() < 20 || input.size() > 64)) return refused("that is no digest");
  if (operation == KeyOperation::rsa_padded && input.size() != size) return refused("the block has another size");
  const std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>> context(EVP_PKEY_CTX_new(key, nullptr));
  std::string out(size, '\0');
  std::size_t length = out.size();
  bool done = context && EVP_PKEY_sign_init(context.get()) == 1;
  if (!ecdsa && done) {
    const int padding = operation == KeyOperation::rsa_pkcs1 ? RSA_PKCS1_PADDING : RSA_NO_PADDING;
    done = EVP_PKEY_CTX_set_rsa_padding(context.get(), padding) == 1;
  }
  done = done && EVP_PKEY_sign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &length,
                               reinterpret_cast<const unsigned char*>(input.data()), input.size()) == 1;
  if (!done) return refused(openssl_error());
  out.resize(length);
  return out;
}

}  // namespace facteur::crypto
