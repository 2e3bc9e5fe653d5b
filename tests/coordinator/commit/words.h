// Effects in words, so that a test can say what it expects in one line.
#pragma once

#include <string>

#include "coordinator/commit/office.h"

namespace assent::commit {

// For example "propose COMMITTED a b; prepare a; finish a COMMIT; reply 1 COMMITTED pending b". A
// branch is named by its participant when it is try 1 of epoch 1, else like "a/1.2". A finish
// without evidence ends in "?". The attempt of a one-shot is like "2#1": serial 1 of office 2.
std::string words(const Effects& effects);

}  // namespace assent::commit
