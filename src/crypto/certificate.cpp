// Certificates: reading what they say, and making self-signed ones.
#include "crypto/openssl.hpp"
#include "crypto/tls.hpp"

#include <ctime>

#include "base/ascii.hpp"

namespace facteur::crypto {

namespace {

constexpr long seconds_a_day = 24 * 60 * 60;

BioPointer reader_of(std::string_view text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string written_to(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

UtcTime utc_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  return UtcTime{static_cast<std::int64_t>(timegm(&fields)) * 1000};
}

bool add_extension(X509* certificate, int nid, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
  if (!extension) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// As structures, not as text: a name may hold what OpenSSL's text form would take for syntax.
bool add_names(X509* certificate, const std::vector<std::string>& names) {
  GENERAL_NAMES* all = sk_GENERAL_NAME_new_null();
  for (const std::string& name : names) {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
    GENERAL_NAME* entry = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
    sk_GENERAL_NAME_push(all, entry);
  }
  const bool added = X509_add1_ext_i2d(certificate, NID_subject_alt_name, all, 0, 0) == 1;
  sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
  return added;
}

// RFC 5280 §4.1.2.2: a positive serial number of at most 20 octets; random, so that no two are alike.
bool set_serial(X509* certificate) {
  BIGNUM* number = BN_new();
  const bool set = number && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool set_subject(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  // RFC 5280 appendix A.1: a common name has at most 64 characters; the alternative names are what counts.
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.data()),
                                    static_cast<int>(std::min<std::size_t>(name.size(), 64)), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

bool set_validity(X509* certificate, UtcTime now, unsigned days) {
  const auto from = static_cast<std::time_t>(now.seconds());
  std::time_t start = from - 60 * 60, end = from + static_cast<long>(days) * seconds_a_day;
  return X509_time_adj_ex(X509_getm_notBefore(certificate), 0, 0, &start) &&
         X509_time_adj_ex(X509_getm_notAfter(certificate), 0, 0, &end);
}

}  // namespace

std::string openssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no detail";
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

std::vector<X509Pointer> certificates_of(std::string_view pem) {
  std::vector<X509Pointer> found;
  const BioPointer reader = reader_of(pem);
  while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr))
    found.emplace_back(certificate);
  // Reading ends with the error "no start line" when all went well.
  const bool all = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!all) found.clear();
  return found;
}

std::vector<std::string> dns_names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* all = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(ascii::lower({text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
  return names;
}

std::string subject_of(X509* certificate) {
  const BioPointer text(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return written_to(text.get());
}

Result<CertificateSummary> summarize_certificate(std::string_view chain_pem) {
  const auto chain = certificates_of(chain_pem);
  if (chain.empty()) {
    return failure(Failure::Kind::permanent, "F-1005", "There is no certificate in the text, or one cannot be read");
  }
  X509* first = chain.front().get();
  CertificateSummary summary;
  summary.subject = subject_of(first);
  summary.dns_names = dns_names_of(first);
  summary.not_before = utc_of(X509_get0_notBefore(first));
  summary.not_after = utc_of(X509_get0_notAfter(first));
  unsigned char fingerprint[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  X509_digest(first, EVP_sha256(), fingerprint, &length);
  summary.sha256.assign(reinterpret_cast<const char*>(fingerprint), length);
  return summary;
}

Result<TlsCertificate> make_self_signed(const std::vector<std::string>& names, UtcTime now, unsigned days) {
  if (names.empty()) return failure(Failure::Kind::permanent, "F-1006", "A certificate needs a name");
  const KeyPointer key(EVP_EC_gen("P-256"));
  const X509Pointer certificate(X509_new());
  X509* made = certificate.get();
  const bool complete =
      key && made && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
      set_subject(made, names.front()) && set_validity(made, now, days) && X509_set_pubkey(made, key.get()) == 1 &&
      add_names(made, names) && add_extension(made, NID_basic_constraints, "critical,CA:FALSE") &&
      add_extension(made, NID_key_usage, "critical,digitalSignature") &&
      add_extension(made, NID_ext_key_usage, "serverAuth") && X509_sign(made, key.get(), EVP_sha256()) > 0;
  const BioPointer chain(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_mem()));
  if (!complete || PEM_write_bio_X509(chain.get(), made) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failure(Failure::Kind::temporary, "F-1007", "The certificate could not be made", openssl_error());
  }
  return TlsCertificate{written_to(chain.get()), written_to(secret.get())};
}

}  // namespace facteur::crypto
