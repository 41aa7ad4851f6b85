// The command line: what `facteur` understands. The only place that knows CLI11 is run.cpp.
#pragma once

namespace facteur::cli {

int run(int argc, char** argv);  // The exit code.

}  // namespace facteur::cli
