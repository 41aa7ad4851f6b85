// What making and opening structure records costs: PERFORMANCE.md row 13 needs the envelope in half a microsecond.
#include <benchmark/benchmark.h>

#include <string>

#include "message/structure.hpp"

namespace {

std::string ordinary_message() {
  std::string text =
      "Received: from mail.example.net (mail.example.net [192.0.2.7])\r\n\tby mx.example.org (Postfix) with ESMTPS id "
      "4ABCDEF\r\n\tfor <marie@example.org>; Fri, 20 Nov 2026 10:00:00 +0100 (CET)\r\n"
      "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n\th=from:to:subject:date;\r\n"
      "\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=" +
      std::string(340, 'x') +
      "\r\n"
      "Date: Fri, 20 Nov 2026 09:59:58 +0100\r\nFrom: Jean Dupont <jean.dupont@example.net>\r\n"
      "To: Marie Curie <marie@example.org>, \"Curie, Pierre\" <pierre@example.org>\r\n"
      "Cc: team@example.org\r\nSubject: Compte rendu de la =?utf-8?Q?r=C3=A9union?= du 19\r\n"
      "Message-ID: <20261120095958.4711@example.net>\r\nIn-Reply-To: <1234@example.org>\r\n"
      "References: <1@example.org> <1234@example.org>\r\nMIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nX-Mailer: Example 1.0\r\n\r\n";
  while (text.size() < 10 * 1024)
    text += "Une ligne de texte ordinaire, de soixante-dix caracteres environ, sans rien.\r\n";
  return text;
}

void BM_make_structure_10k(benchmark::State& state) {
  const std::string message = ordinary_message();
  const std::string prefix = "Return-Path: <jean.dupont@example.net>\r\n";
  for (auto _ : state) benchmark::DoNotOptimize(facteur::message::make_structure(prefix, message));
}
BENCHMARK(BM_make_structure_10k);

void BM_envelope(benchmark::State& state) {
  const std::string record = facteur::message::make_structure("", ordinary_message());
  std::string out;
  for (auto _ : state) {
    out.clear();
    out.append(facteur::message::Structure::open(record)->envelope());
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_envelope);

}  // namespace
