// Owning pointers for OpenSSL's objects and the text of its errors. Included by .cpp files of crypto/ only.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace facteur::crypto {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using SslPointer = std::unique_ptr<SSL, Freed<SSL_free>>;
using SslContextPointer = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using X509Pointer = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using BioPointer = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using BioMethodPointer = std::unique_ptr<BIO_METHOD, Freed<BIO_meth_free>>;

// The oldest error of this thread's queue as text, for Failure::cause; empties the queue.
std::string openssl_error();

// The certificates of a PEM text in order; empty if there is none or one cannot be read.
std::vector<X509Pointer> certificates_of(std::string_view pem);

// The dNSName entries of the subject alternative name, lower case.
std::vector<std::string> dns_names_of(X509* certificate);

std::string subject_of(X509* certificate);

}  // namespace facteur::crypto
