// facteur-sim [--from S] [--seeds N] [--twice] [--log]: runs whole simulated worlds, one for each seed.
//
//   --from S   the first seed (1)      --seeds N  how many (100)
//   --twice    runs each seed twice and compares their hashes
//   --log      prints what the servers reported
// Ends with 1 if any run violated what must be true; prints the seed that repeats it.
#include <cstdio>
#include <cstring>
#include <string>

#include "base/ascii.hpp"
#include "town.hpp"

namespace {

struct Options {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  bool twice = false;
  bool log = false;
};

bool read(int count, char** words, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--twice") {
      options.twice = true;
    } else if (word == "--log") {
      options.log = true;
    } else if ((word == "--from" || word == "--seeds") && i + 1 < count) {
      const auto number = facteur::ascii::number(words[++i]);
      if (!number) return false;
      (word == "--from" ? options.from : options.seeds) = *number;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read(count, words, options)) {
    std::fprintf(stderr, "usage: facteur-sim [--from SEED] [--seeds COUNT] [--twice] [--log]\n");
    return 2;
  }
  std::size_t bad = 0, letters = 0, promised = 0, copies = 0, doubles = 0, ends = 0, sessions = 0;
  for (std::uint64_t seed = options.from; seed < options.from + options.seeds; ++seed) {
    auto outcome = facteur::simulation::Town(seed).run(options.log);
    if (options.twice && facteur::simulation::Town(seed).run(false).hash != outcome.hash) {
      outcome.violations.emplace_back("the same seed gave another run");
    }
    letters += outcome.letters;
    promised += outcome.promised;
    copies += outcome.copies;
    doubles += outcome.doubles;
    ends += outcome.ends;
    sessions += outcome.sessions;
    if (!outcome.log.empty()) std::fputs(outcome.log.c_str(), stdout);
    for (const auto& violation : outcome.violations) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation.c_str());
    }
    bad += !outcome.violations.empty();
    std::fflush(stdout);
  }
  std::printf(
      "%llu worlds from seed %llu: %zu letters, %zu promises, %zu copies (%zu doubled), "
      "%zu IMAP sessions, %zu lives ended; %zu bad\n",
      static_cast<unsigned long long>(options.seeds), static_cast<unsigned long long>(options.from), letters, promised,
      copies, doubles, sessions, ends, bad);
  return bad == 0 ? 0 : 1;
}
