#include <cstdlib>
#include <fstream>
#include <sstream>

#include "config/load.hpp"
#include "config/nearest.hpp"
#include "config/option_names.hpp"
#include "config/published.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::config;

namespace {

constexpr std::string_view three_lines =
    "hostname = \"MX.example.org\"\ndomains = [\"example.org\"]\npostmaster = \"anne@example.org\"\n";

Loaded of(std::string_view more) { return parse({{"facteur.toml", std::string(three_lines) + std::string(more)}}); }

bool says(const Loaded& loaded, std::string_view where, std::string_view text) {
  for (const auto& problem : loaded.problems) {
    if (problem.where == where && problem.text.find(text) != std::string::npos) return true;
  }
  MESSAGE(to_string(loaded.problems));
  return false;
}

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("three lines are a whole configuration") {
  const auto loaded = of("");
  CHECK(to_string(loaded.problems).empty());
  CHECK(loaded.config.hostname == "mx.example.org");
  REQUIRE(loaded.config.listeners.size() == 7);
  CHECK(loaded.config.listeners[0].port == 25);
  CHECK(loaded.config.listeners[1].name == "submission-465");
  CHECK(loaded.config.listeners[1].tls == Listener::Tls::implicit);
  for (const auto& listener : loaded.config.listeners) CHECK(!listener.plaintext_login);
}

TEST_CASE("all that is wrong is said at once, with its line and the nearest known key") {
  const auto loaded = parse({{"f.toml",
                              "hostnam = \"mx.example.org\"\n"   // 1
                              "domains = \"example.org\"\n"      // 2
                              "[limits]\n"                       // 3
                              "recipient = 500\n"                // 4
                              "message_size = \"50 bananas\"\n"  // 5
                              "[[listener]]\n"                   // 6
                              "protocol = \"imapp\"\n"           // 7
                              "port = 70000\n"                   // 8
                              "[queue]\n"                        // 9
                              "message_size = 3\n"               // 10
                              "expiry = \"5 y\"\n"}});           // 11
  CHECK(says(loaded, "f.toml:1", "did you mean hostname?"));
  CHECK(says(loaded, "f.toml:2", "must be a list"));
  CHECK(says(loaded, "f.toml:4", "did you mean limits.recipients?"));
  CHECK(says(loaded, "f.toml:5", "must be a size"));
  CHECK(says(loaded, "f.toml:7", "must be one of: exchanger, submission, lmtp, imap, pop3"));
  CHECK(says(loaded, "f.toml:8", "outside 1 to 65535"));
  CHECK(says(loaded, "f.toml:10", "did you mean limits.message_size?"));
  CHECK(says(loaded, "f.toml:11", "must be a duration"));
  CHECK(says(loaded, "f.toml", "hostname is missing"));
  CHECK(says(loaded, "f.toml", "postmaster is missing"));
  CHECK(loaded.problems.size() == 10);
}

TEST_CASE("what is not TOML is said with its line, without false complaints behind it") {
  const auto loaded = parse({{"f.toml", "hostname = \"a.example\"\ndomains = [\n\"b\"\n[server]\n"}});
  REQUIRE(loaded.problems.size() == 1);
  CHECK(loaded.problems[0].text.find("this is not TOML") == 0);
}

TEST_CASE("the configuration survives being cut at every octet") {
  const std::string whole = example_file() + "[delivery.smarthost]\nhost = \"relay.example\"\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto loaded = parse({{"f", whole.substr(0, size)}});
    CHECK(!loaded.config.listeners.empty());
  }
}

TEST_CASE("several files add up; one option may stand in one of them only") {
  const std::vector<Source> sources{
      {"facteur.toml", std::string(three_lines) + "[limits]\nrecipients = 200\n"},
      {"conf.d/a.toml", "[limits]\nrecipients = 300\nreceived_fields = 150\n"},
      {"conf.d/b.toml", "[[listener]]\nprotocol = \"imap\"\nport = 1143\naddress = \"127.0.0.1\"\n"}};
  const auto loaded = parse(sources);
  REQUIRE(loaded.problems.size() == 1);
  CHECK(says(loaded, "conf.d/a.toml:2", "limits.recipients is set already at facteur.toml:5"));
  CHECK(loaded.config.limits.received_fields == 150);
  CHECK(loaded.config.listeners.size() == 1);
}

TEST_RFC("8314 §3", "a login without TLS is possible on a loopback address only") {
  CHECK(says(of("[[listener]]\nprotocol = \"imap\"\nport = 143\nplaintext_login = true\n"), "facteur.toml:7",
             "loopback address only"));
  CHECK(says(of("[[listener]]\nprotocol = \"imap\"\nport = 143\ntls = \"none\"\n"), "facteur.toml:7",
             "nobody could log in"));
  CHECK(of("[[listener]]\nprotocol = \"imap\"\nport = 143\naddress = \"127.0.0.9\"\ntls = \"none\"\n"
           "plaintext_login = true\n")
            .good());
}

TEST_RFC("2033 §5", "LMTP does not listen where anybody can reach it") {
  CHECK(says(of("[[listener]]\nprotocol = \"lmtp\"\nport = 24\n"), "facteur.toml:4", "loopback address only"));
  CHECK(of("[[listener]]\nprotocol = \"lmtp\"\nport = 24\naddress = \"::1\"\n").good());
}

TEST_CASE("no configuration makes an open relay") {
  CHECK(says(of("[delivery]\nrelay_domains = [\"*\"]\n"), "facteur.toml:5", "open relay"));
  CHECK(says(of("[delivery]\nrelay_domains = [\"example.org\"]\n"), "facteur.toml:5", "our own domains"));
}

TEST_CASE("a smarthost password goes over TLS only, and comes from a file") {
  CHECK(says(of("[delivery.smarthost]\nhost = \"r.example\"\nlogin = \"a\"\n"), "facteur.toml:4", ""));
  CHECK(says(of("[delivery.smarthost]\nhost = \"r.example\"\nlogin = \"a\"\npassword_file = \"/f\"\n"
                "tls = \"opportunistic\"\n"),
             "facteur.toml:8", "TLS only"));
  const auto loaded = of("[delivery.smarthost]\nhost = \"r.example\"\n");
  REQUIRE(loaded.config.delivery.smarthost);
  CHECK(loaded.config.delivery.smarthost->port == 587);
}

TEST_CASE("two listeners on one endpoint are refused") {
  const std::string one = "[[listener]]\nprotocol = \"exchanger\"\nport = 25\n";
  CHECK(says(of(one + one), "facteur.toml:9", "another listener"));
}

TEST_CASE("every option can be set to what its default shows") {
  // The example file with all option lines made live, except in tables that need values.
  std::string live;
  std::istringstream lines(example_file());
  bool skip = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# [")) skip = true;
    if (line.starts_with("[")) skip = false;
    if (!skip && line.starts_with("# ") && line.find(" = ") != std::string::npos) line = line.substr(2);
    if (!skip) live += line + "\n";
  }
  const auto loaded = parse({{"example", live}});
  CHECK(to_string(loaded.problems).empty());
  CHECK(loaded.set_at.size() > 40);
  CHECK(differences(loaded.config).find("limits.") == std::string::npos);
}

TEST_CASE("differences shows what is not default, explain says where it is set") {
  const auto loaded = of("[limits]\nrecipients = 500\n");
  CHECK(differences(loaded.config).find("limits.recipients = 500  # default 1000\n") != std::string::npos);
  const auto text = explain("limits.recipients", &loaded);
  REQUIRE(text);
  CHECK(text->find("RFC 5321 §4.5.3.1.8") != std::string::npos);
  CHECK(text->find("now: 500 (set at facteur.toml:5)") != std::string::npos);
  CHECK(!explain("limits.recipents"));
  CHECK(nearest_option("limits.recipents") == "limits.recipients");
  CHECK(nearest_option("message_size") == "limits.message_size");
}

TEST_CASE("durations and sizes are read and written") {
  const auto queue = of("[queue]\nretry = [\"90s\", 60, \"1500ms\", \"36h\"]\nexpiry = \"5d\"\n");
  REQUIRE(queue.good());
  CHECK(queue.config.queue.retry == std::vector<Duration>{90s, 60s, 1500ms, 36h});
  CHECK(of("[limits]\nmessage_size = \"10 MB\"\n").config.limits.message_size == 10'000'000);
  CHECK(!of("[limits]\nmessage_size = \"99999999999999999999\"\n").good());
  CHECK(!of("[queue]\nexpiry = \"99999999999999d\"\n").good());
  CHECK(!of("[queue]\nretry = [0]\n").good());
}

TEST_CASE("the nearest word") {
  CHECK(nearest("recipeints", {"recipients", "received"}) == "recipients");
  CHECK(!nearest("zzzzzzzz", {"recipients", "received"}));
  CHECK(!nearest("", {}));
}

TEST_CASE("every option says what it does, and the committed pages are what the schema says") {
  CHECK(option_names().size() > 60);
  const char* update = std::getenv("FACTEUR_UPDATE_DOCS");
  if (update) {
    std::ofstream("docs/reference.md") << reference_page();
    std::ofstream("docs/facteur.example.toml") << example_file();
  }
  CHECK(file_text("docs/reference.md") == reference_page());
  CHECK(file_text("docs/facteur.example.toml") == example_file());
  for (const auto& name : option_names()) CHECK(explain(name)->size() > name.size() + 30);
}

TEST_CASE("the configuration in force is replaced as a whole") {
  Published published(std::make_shared<const Config>(of("").config));
  const auto before = published.get();
  published.set(std::make_shared<const Config>(of("[limits]\nrecipients = 500\n").config));
  CHECK(before->limits.recipients == 1000);
  CHECK(published.get()->limits.recipients == 500);
}
