// One TLS connection over borrowed memory: OpenSSL reads and writes through a BIO that ends in the arguments of the
// current call.
#include <openssl/x509_vfy.h>

#include <cstring>
#include <ctime>

#include "base/assert.hpp"
#include "base/ip_address.hpp"
#include "crypto/injected.hpp"
#include "crypto/tls_inside.hpp"

namespace facteur::crypto {

namespace {

TlsEngine::Inside& engine_of(BIO* bio) { return *static_cast<TlsEngine::Inside*>(BIO_get_data(bio)); }

int read_input(BIO* bio, char* to, int room) {
  auto& engine = engine_of(bio);
  BIO_clear_retry_flags(bio);
  const std::size_t size = std::min(engine.input.size(), static_cast<std::size_t>(std::max(room, 0)));
  if (size == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(to, engine.input.data(), size);
  engine.input.remove_prefix(size);
  return static_cast<int>(size);
}

int write_output(BIO* bio, const char* from, int length) {
  auto& engine = engine_of(bio);
  BIO_clear_retry_flags(bio);
  const std::size_t left = engine.output.size() - engine.produced;
  const std::size_t size = std::min(left, static_cast<std::size_t>(std::max(length, 0)));
  if (size == 0) {
    BIO_set_retry_write(bio);
    return -1;
  }
  std::memcpy(engine.output.data() + engine.produced, from, size);
  engine.produced += size;
  return static_cast<int>(size);
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* memory_method() {
  static const BioMethodPointer method = [] {
    BioMethodPointer made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "borrowed memory"));
    BIO_meth_set_read(made.get(), read_input);
    BIO_meth_set_write(made.get(), write_output);
    BIO_meth_set_ctrl(made.get(), control);
    return made;
  }();
  return method.get();
}

bool set_host(SSL* ssl, const std::string& host) {
  if (host.empty()) return true;
  if (IpAddress::parse(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1;
}

// RFC 7301 §3.1: each name behind its length.
std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255) continue;
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

// Whether at least one record can be used.
bool add_tlsa(SSL* ssl, const std::string& host, const std::vector<TlsaRecord>& records) {
  if (SSL_dane_enable(ssl, host.c_str()) != 1) return false;
  // RFC 7672 §3.1.1: with DANE-EE(3) neither names nor dates of the certificate count.
  SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  bool usable = false;
  for (const auto& record : records) {
    // RFC 7672 §3.1.3: PKIX-TA(0) and PKIX-EE(1) are not for mail exchangers.
    if (record.usage != 2 && record.usage != 3) continue;
    usable |= SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching,
                                reinterpret_cast<const unsigned char*>(record.data.data()), record.data.size()) > 0;
  }
  return usable;
}

}  // namespace

TlsEngine::TlsEngine(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
TlsEngine::~TlsEngine() = default;

Result<void> TlsEngine::Inside::attach(SSL_CTX* context) {
  ERR_clear_error();
  ssl.reset(SSL_new(context));
  BIO* bio = ssl ? BIO_new(memory_method()) : nullptr;
  if (!bio) return failure(Failure::Kind::temporary, "F-1012", "TLS cannot be used now", openssl_error());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_app_data(ssl.get(), this);
  return {};
}

Result<std::unique_ptr<TlsEngine>> TlsEngine::server(std::shared_ptr<const TlsServerContext> context,
                                                     std::vector<std::string> alpn) {
  auto inside = std::make_unique<Inside>();
  if (auto attached = inside->attach(context->inside().contexts.front().get()); !attached) return failed(attached);
  inside->server = std::move(context);
  inside->alpn = std::move(alpn);
  SSL_set_accept_state(inside->ssl.get());
  return std::unique_ptr<TlsEngine>(new TlsEngine(std::move(inside)));
}

Result<std::unique_ptr<TlsEngine>> TlsEngine::client(std::shared_ptr<const TlsClientContext> context,
                                                     const TlsClientParameters& parameters) {
  auto inside = std::make_unique<Inside>();
  const auto& shared = context->inside();
  if (auto attached = inside->attach(shared.context.get()); !attached) return failed(attached);
  SSL* ssl = inside->ssl.get();
  const std::string wire = alpn_wire(parameters.alpn);
  const bool set = set_host(ssl, parameters.host) &&
                   (wire.empty() || SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(wire.data()),
                                                        static_cast<unsigned>(wire.size())) == 0);
  if (!set) return failure(Failure::Kind::permanent, "F-1013", "The host has no usable name", openssl_error());
  // RFC 7672 §2.2: when no record is usable, the connection is encrypted but nobody is authenticated.
  if (!parameters.tlsa.empty()) inside->dane = add_tlsa(ssl, parameters.host, parameters.tlsa);
  const bool must_verify = parameters.tlsa.empty() ? shared.verify : inside->dane;
  SSL_set_verify(ssl, must_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (const auto time = Injected::today()) {
    X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), static_cast<std::time_t>(time->seconds()));
  }
  SSL_set_connect_state(ssl);
  inside->client = std::move(context);
  return std::unique_ptr<TlsEngine>(new TlsEngine(std::move(inside)));
}

Failure TlsEngine::Inside::why(int error) const {
  const unsigned long code = ERR_peek_error();
  const long verified = SSL_get_verify_result(ssl.get());
  const std::string cause = openssl_error();
  if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return {Failure::Kind::refused, "F-1014", "The certificate of the peer does not verify",
            X509_verify_cert_error_string(verified)};
  }
  if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
    return {Failure::Kind::closed, "F-1015", "The peer broke the rules of TLS", cause};
  }
  return {Failure::Kind::closed, "F-1016", "TLS went wrong", cause + ", error " + std::to_string(error)};
}

// Turns what an OpenSSL call returned into a Step. `given`: the input as it was before the call.
Result<TlsEngine::Step> TlsEngine::Inside::step(int result, Bytes given, std::size_t plain) {
  Step step;
  step.consumed = given.size() - input.size();
  step.produced = produced;
  if (result > 0) {
    step.plain = plain;
    return step;
  }
  switch (const int error = SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
      step.next = Step::Next::want_input;
      return step;
    case SSL_ERROR_WANT_WRITE:
      step.next = Step::Next::want_room;
      return step;
    case SSL_ERROR_ZERO_RETURN:
      step.next = Step::Next::ended;
      return step;
    default:
      return std::unexpected(why(error));
  }
}

Result<TlsEngine::Step> TlsEngine::handshake(Bytes given, Room output) {
  auto& engine = *inside_;
  engine.input = given;
  engine.output = output;
  engine.produced = 0;
  ERR_clear_error();
  const int result = SSL_do_handshake(engine.ssl.get());
  if (result > 0) engine.alpn = {};  // Agreed on: idle connections hold no list.
  return engine.step(result, given, 0);
}

Result<TlsEngine::Step> TlsEngine::read(Bytes given, Room plain, Room output) {
  auto& engine = *inside_;
  engine.input = given;
  engine.output = output;
  engine.produced = 0;
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(engine.ssl.get(), plain.data(), plain.size(), &size);
  return engine.step(result, given, size);
}

Result<TlsEngine::Step> TlsEngine::peek(Bytes given, Room output) {
  auto& engine = *inside_;
  engine.input = given;
  engine.output = output;
  engine.produced = 0;
  ERR_clear_error();
  char octet = 0;
  std::size_t size = 0;
  const int result = SSL_peek_ex(engine.ssl.get(), &octet, 1, &size);
  return engine.step(result, given, 0);
}

Result<TlsEngine::Step> TlsEngine::write(Bytes plain, Room output) {
  auto& engine = *inside_;
  engine.input = {};
  engine.output = output;
  engine.produced = 0;
  ERR_clear_error();
  if (plain.empty()) return Step{};  // OpenSSL says that writing nothing is undefined.
  std::size_t size = 0;
  const int result = SSL_write_ex(engine.ssl.get(), plain.data(), plain.size(), &size);
  return engine.step(result, {}, size);
}

Result<TlsEngine::Step> TlsEngine::close_notify(Room output) {
  auto& engine = *inside_;
  engine.input = {};
  engine.output = output;
  engine.produced = 0;
  ERR_clear_error();
  // 0: ours is said, the peer's has not come yet: all we wanted.
  const int result = SSL_shutdown(engine.ssl.get());
  return engine.step(result == 0 ? 1 : result, {}, 0);
}

std::size_t TlsEngine::failed_output() const { return inside_->produced; }

std::size_t TlsEngine::pending() const { return static_cast<std::size_t>(SSL_pending(inside_->ssl.get())); }

TlsSummary TlsEngine::summary() const {
  SSL* ssl = inside_->ssl.get();
  TlsSummary summary;
  summary.version = SSL_get_version(ssl);
  summary.cipher = SSL_get_cipher_name(ssl);
  summary.sni = inside_->sni;
  const unsigned char* alpn = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &length);
  if (length > 0) summary.alpn.assign(reinterpret_cast<const char*>(alpn), length);
  summary.resumed = SSL_session_reused(ssl) == 1;
  if (X509* peer = SSL_get0_peer_certificate(ssl)) {
    summary.peer_subject = subject_of(peer);
    const long result = SSL_get_verify_result(ssl);
    summary.peer_verified = inside_->client && result == X509_V_OK;
    if (!summary.peer_verified) summary.peer_error = X509_verify_cert_error_string(result);
  }
  // RFC 9266 §4: with TLS 1.2 the value is unique only with the extended master secret.
  if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1) {
    constexpr std::string_view label = "EXPORTER-Channel-Binding";
    summary.exporter.resize(32);
    if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(summary.exporter.data()), 32, label.data(),
                                   label.size(), nullptr, 0, 0) != 1) {
      summary.exporter.clear();
    }
  }
  return summary;
}

}  // namespace facteur::crypto
