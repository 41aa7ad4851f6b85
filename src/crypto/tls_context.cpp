// The two kinds of context: what is the same for many connections.
#include <map>

#include "base/ascii.hpp"
#include "crypto/remote_key.hpp"
#include "crypto/tls_inside.hpp"

namespace facteur::crypto {

namespace {

// RFC 9325 §4.2: forward secrecy and authenticated encryption only. (TLS 1.3 has suites of its own, all of this kind.)
constexpr const char* server_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL";
constexpr const char* groups = "X25519:P-256:P-384";

void set_common(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);  // RFC 8996 §4, §5: TLS 1.0 and 1.1 are gone.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // RFC 9325 §3.3 (compression) and §3.5 (renegotiation).
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set1_groups_list(context, groups);
}

// Chooses the certificate by the name asked for. RFC 7672 §8.1: a server must not refuse an unknown name, the default
// certificate is shown then.
int choose_certificate(SSL* ssl, int*, void* argument) {
  const char* asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!asked) return SSL_TLSEXT_ERR_NOACK;
  auto& engine = TlsEngine::Inside::of(ssl);
  engine.sni = ascii::lower(asked);
  if (SSL_CTX* context = static_cast<TlsServerContext::Inside*>(argument)->named(engine.sni)) {
    SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

// RFC 7301 §3.2: our preference among what the client offers; no overlap is fatal (RELIABILITY S10: a browser that was
// led to a mail port ends here).
int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  const auto& alpn = TlsEngine::Inside::of(ssl).alpn;
  if (alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
  for (const std::string& ours : alpn) {
    for (unsigned at = 0; at < offered_length && at + 1 + offered[at] <= offered_length; at += 1u + offered[at]) {
      if (ours != std::string_view(reinterpret_cast<const char*>(offered + at + 1), offered[at])) continue;
      *chosen = offered + at + 1;
      *length = offered[at];
      return SSL_TLSEXT_ERR_OK;
    }
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

KeyPointer read_key(const std::string& pem) {
  const BioPointer text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // An empty password given by us: OpenSSL must not ask the terminal for one.
  char none[] = "";
  return KeyPointer(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, none));
}

// Puts a chain and its key into a context. Empty: done; else why not.
std::string use_certificate(SSL_CTX* context, const TlsCertificate& certificate,
                            const std::shared_ptr<PrivateKeys>& keys) {
  const auto chain = certificates_of(certificate.chain_pem);
  if (chain.empty()) return "no certificate in the text, or one cannot be read";
  const bool elsewhere = certificate.key_pem.empty() && keys;
  const KeyPointer key = elsewhere ? remote_key(chain.front().get(), keys) : read_key(certificate.key_pem);
  if (!key) return "the key cannot be read: " + openssl_error();
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return "the key does not belong to the first certificate of the chain";
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 || SSL_CTX_clear_chain_certs(context) != 1) {
    return "the certificate is not usable: " + openssl_error();
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return "a certificate of the chain is not usable";
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return "the key is not usable: " + openssl_error();
  return {};
}

SslContextPointer new_server_context(TlsServerContext::Inside& inside) {
  SslContextPointer context(SSL_CTX_new(TLS_server_method()));
  if (!context) return nullptr;
  set_common(context.get());
  SSL_CTX_set_cipher_list(context.get(), server_ciphers);
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_dh_auto(context.get(), 1);
  // Tickets hold all state (RFC 8446 §4.6.1, RFC 5077); nothing of ended sessions stays in memory.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);  // Each costs 6 % of a handshake; a new connection brings a new one.
  SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("facteur"), 7);
  SSL_CTX_set_tlsext_servername_callback(context.get(), choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(context.get(), &inside);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  return context;
}

}  // namespace

SSL_CTX* TlsServerContext::Inside::named(const std::string& name) const {
  if (const auto exact = by_name.find(name); exact != by_name.end()) return exact->second;
  const std::size_t dot = name.find('.');
  if (dot == name.npos) return nullptr;
  // RFC 6125 §6.4.3: a wildcard stands for exactly one, the left-most, label.
  const auto wildcard = by_name.find("*" + name.substr(dot));
  return wildcard == by_name.end() ? nullptr : wildcard->second;
}

TlsServerContext::TlsServerContext(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<const TlsServerContext>> TlsServerContext::make(const Options& options) {
  if (options.certificates.empty()) return failure(Failure::Kind::permanent, "F-1008", "No certificate is given");
  auto inside = std::make_unique<Inside>();
  std::map<std::vector<std::string>, SSL_CTX*> by_names;
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    const auto& certificate = options.certificates[i];
    const auto chain = certificates_of(certificate.chain_pem);
    const auto names = chain.empty() ? std::vector<std::string>{} : dns_names_of(chain.front().get());
    SSL_CTX*& context = by_names[names];
    if (!context) {
      inside->contexts.push_back(new_server_context(*inside));
      context = inside->contexts.back().get();
    }
    const std::string why = context ? use_certificate(context, certificate, options.keys) : openssl_error();
    if (!why.empty()) {
      return failure(Failure::Kind::permanent, "F-1009", "Certificate " + std::to_string(i + 1) + ": " + why);
    }
    for (const std::string& name : names) inside->by_name.emplace(name, context);
  }
  return std::make_shared<const TlsServerContext>(std::move(inside));
}

TlsClientContext::TlsClientContext(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<const TlsClientContext>> TlsClientContext::make(const Options& options) {
  auto inside = std::make_unique<Inside>();
  inside->verify = options.verify;
  inside->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = inside->context.get();
  if (!context || SSL_CTX_dane_enable(context) != 1) {
    return failure(Failure::Kind::temporary, "F-1010", "TLS cannot be used now", openssl_error());
  }
  set_common(context);
  // RFC 7435 §3: weak encryption beats none when nobody asked for more; TLS 1.2 is still the least.
  SSL_CTX_set_security_level(context, options.verify ? 2 : 1);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  X509_VERIFY_PARAM_set_flags(X509_STORE_get0_param(store), X509_V_FLAG_PARTIAL_CHAIN);
  const auto anchors = certificates_of(options.ca_pem);
  if (anchors.empty() && !options.ca_pem.empty()) {
    return failure(Failure::Kind::permanent, "F-1011", "The trust anchors cannot be read");
  }
  for (const auto& anchor : anchors) X509_STORE_add_cert(store, anchor.get());
  ERR_clear_error();
  return std::make_shared<const TlsClientContext>(std::move(inside));
}

}  // namespace facteur::crypto
