#include "CBuildInfo.h"

const char* swiftlet_commit(void) {
    return SWIFTLET_COMMIT;
}
